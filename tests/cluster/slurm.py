"""A real Slurm on this machine alone, for the tests: two nodes, and one with two GPUs that are none, all on loopback.

The daemons run in the foreground as children of the test, with a state folder, ports and a munge key of their own. Only
the configuration has to be where every Slurm command looks for it, /etc/slurm: Snakemake's plugin takes the variable
SLURM_CONF from its jobs. It is a link, which goes when the cluster stops.

Every node is a slurmd; they share the machine's cores. Without accounting (slurmdbd) the state of a job comes from
squeue. Without cgroups nothing keeps a job to its memory but Slurm looking every second.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

CONFIGURATION = Path("/etc/slurm/slurm.conf")
PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "srun", "squeue")
PACKAGES = "slurmctld slurmd slurm-client munge"
START, STOP = 30, 10  # seconds that daemons have to answer, and to end
NODES = ("n1", "n2")  # of one core each
GPU_NODE = "n3"  # of two
MEMORY = 8_000  # MB that a node claims

TEMPLATE = """\
ClusterName=trainability
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=10
SlurmctldPort={controller}
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill,UsePss
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=sched_interval=1,bf_interval=1
SlurmdParameters=config_overrides
MpiDefault=none
SwitchType=switch/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MinJobAge=3600
KillWait=5
SlurmdTimeout=10
ReturnToService=2
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
GresTypes=gpu
{nodes}\
PartitionName=DEFAULT Nodes=n[1-2] MaxTime=INFINITE State=UP PriorityTier=2 PreemptMode=OFF
PartitionName=cpu Default=YES
PartitionName=gpu Nodes={gpu_node}
PartitionName=urgent PriorityTier=3
PartitionName=requeued PriorityTier=1 PreemptMode=REQUEUE
PartitionName=cancelled PriorityTier=1 PreemptMode=CANCEL
"""
NODE = "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={cpus} RealMemory={memory} {gres}\n"


class ClusterError(Exception):
    """A daemon did not start, or did not answer in time; the message has the end of its log."""


def missing() -> str:
    """Why no Slurm can be started here, or an empty text."""
    absent = [program for program in PROGRAMS if not (shutil.which(program) or Path("/usr/sbin", program).exists())]
    if absent:
        return f"no {', '.join(absent)} here: apt-get install {PACKAGES}"
    if os.geteuid() != 0:
        return "Slurm's daemons need root"
    if CONFIGURATION.exists() and (not CONFIGURATION.is_symlink() or _answers()):
        return f"this machine has a Slurm of its own, {CONFIGURATION}"
    return ""


class Slurm:
    """A cluster, from `start` to `stop`; the folder holds its state and logs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.daemons: dict[str, subprocess.Popen[bytes]] = {}  # by the name of their log

    def start(self) -> None:
        """Start munged, slurmctld and a slurmd a node, and wait until all nodes take jobs. Raises ClusterError."""
        for name in ("state", "munge"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "munge").chmod(0o711)
        self._configure()
        self._munged()
        self.start_controller()
        for node in (*NODES, GPU_NODE):
            self._slurmd(node)
        self._wait(lambda: set(states().values()) == {"idle"}, "slurmctld", *NODES, GPU_NODE)

    def start_controller(self, forgetful: bool = False) -> None:
        """Start slurmctld, with what it knew when it was stopped or without, and wait until it answers."""
        self._daemon("slurmctld", "slurmctld", "-D", *(["-c"] if forgetful else []))
        self._wait(_answers, "slurmctld")

    def stop_controller(self) -> None:
        """End slurmctld; jobs run on, and nobody answers a question about them."""
        self._end("slurmctld")

    def start_node(self, node: str) -> None:
        """Start a node that was lost, and wait until it takes jobs. Raises ClusterError."""
        self._slurmd(node)
        self._wait(lambda: states().get(node) in ("idle", "mixed", "allocated"), node)

    def lose_node(self, node: str) -> None:
        """Kill a slurmd and all processes of its jobs at once, as if the power had gone."""
        jobs = told("squeue", "-h", "--states=running,completing", "-w", node, "-o", "%A").split()
        self.daemons[node].kill()
        self.daemons[node].wait()
        for process in _processes_of(set(jobs)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def stop(self) -> None:
        """Cancel what still runs, end the daemons and take the configuration away."""
        if "slurmctld" in self.daemons and self.daemons["slurmctld"].poll() is None:
            told("scancel", "--user", "root")
            deadline = time.monotonic() + STOP
            while told("squeue", "-h").strip() and time.monotonic() < deadline:
                time.sleep(0.2)
        for name in reversed(self.daemons):
            self._end(name)
        for link in _links():
            if link.is_symlink() and link.readlink().is_relative_to(self.folder):
                link.unlink()

    def _configure(self) -> None:
        names = (*NODES, GPU_NODE)
        controller, *ports = _free_ports(1 + len(names))
        host = socket.gethostname().partition(".")[0]
        more = [{"cpus": 1, "gres": ""}] * len(NODES) + [{"cpus": 2, "gres": "Gres=gpu:2"}]
        nodes = [
            NODE.format(name=name, host=host, port=port, memory=MEMORY, **has)
            for name, port, has in zip(names, ports, more, strict=True)
        ]
        values = {"host": host, "folder": self.folder, "controller": controller, "gpu_node": GPU_NODE}
        text = TEMPLATE.format(**values, nodes="".join(nodes))
        (self.folder / "slurm.conf").write_text(text)
        # A device file is all that Slurm wants of a GPU.
        devices = "".join(f"NodeName={GPU_NODE} Name=gpu File=/dev/{name}\n" for name in ("null", "zero"))
        (self.folder / "gres.conf").write_text(devices)
        CONFIGURATION.parent.mkdir(exist_ok=True)
        for link in _links():
            link.unlink(missing_ok=True)
            link.symlink_to(self.folder / link.name)

    def _munged(self) -> None:
        folder = self.folder / "munge"
        key = folder / "key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        files = {"key-file": key, "socket": folder / "socket", "pid-file": folder / "pid", "seed-file": folder / "seed"}
        # --force: below /tmp anybody could have made the folder, and munged says so.
        options = [f"--{name}={path}" for name, path in files.items()]
        self._daemon("munged", "munged", "--foreground", "--force", *options)
        self._wait((folder / "socket").exists, "munged")

    def _slurmd(self, node: str) -> None:
        (self.folder / f"spool-{node}").mkdir(exist_ok=True)
        self._daemon(node, "slurmd", "-D", "-N", node)

    def _daemon(self, name: str, program: str, *options: str) -> None:
        where = shutil.which(program) or f"/usr/sbin/{program}"
        with (self.folder / f"{name}.log").open("ab") as log:
            self.daemons[name] = subprocess.Popen([where, *options], stdout=log, stderr=subprocess.STDOUT)

    def _end(self, name: str) -> None:
        daemon = self.daemons[name]
        daemon.send_signal(signal.SIGTERM)
        try:
            daemon.wait(STOP)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()

    def _wait(self, ready: Callable[[], bool], *names: str) -> None:
        deadline = time.monotonic() + START
        while not ready():
            for name in names:
                if self.daemons[name].poll() is not None:
                    raise ClusterError(f"{name} ended: {self._tail(name)}")
            if time.monotonic() > deadline:
                raise ClusterError(f"no answer within {START} s: {' '.join(map(self._tail, names))}")
            time.sleep(0.2)

    def _tail(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")[-2000:]


def told(*command: str) -> str:
    """What a Slurm command prints, errors included; empty where it does not answer in time."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=STOP)
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout


def states() -> dict[str, str]:
    """The state of every node by its name; a star says that it does not answer. Empty where slurmctld does not."""
    lines = (line.split() for line in told("sinfo", "-h", "-N", "-o", "%N %T").splitlines())
    return {words[0]: words[1] for words in lines if len(words) == 2}


def _links() -> tuple[Path, Path]:
    return CONFIGURATION, CONFIGURATION.with_name("gres.conf")


def _answers() -> bool:
    return "is UP" in told("scontrol", "ping")


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        taken = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in taken:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in taken]


def _processes_of(jobs: set[str]) -> Iterator[int]:
    """Numbers of the processes that Slurm jobs consist of: what they run, and the slurmstepd above it."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            step = re.match(rb"slurmstepd: \[(\d+)\.", (process / "cmdline").read_bytes())
            job = step or re.search(rb"(?:^|\0)SLURM_JOB_ID=(\d+)\0", (process / "environ").read_bytes())
        except OSError:  # it has ended
            continue
        if job and job[1].decode() in jobs:
            yield int(process.name)
