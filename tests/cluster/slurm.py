"""A real Slurm on this machine alone, for the tests: one node, with two GPUs that are none, all on loopback.

The daemons run in the foreground as children of the test, with a state folder, ports and a munge key of their own. Only
the configuration has to be where every Slurm command looks for it, /etc/slurm: Snakemake's plugin takes the variable
SLURM_CONF from its jobs. It is a link, which goes when the cluster stops.

Without accounting (slurmdbd) the state of a job comes from squeue. Without cgroups nothing keeps a job to its memory
but Slurm looking now and then.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

CONFIGURATION = Path("/etc/slurm/slurm.conf")
PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "srun", "squeue")
PACKAGES = "slurmctld slurmd slurm-client munge"
START, STOP = 30, 10  # seconds that daemons have to answer, and to end
MEMORY = 16_000  # MB that the node claims

TEMPLATE = """\
ClusterName=trainability
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
SlurmctldPort={controller}
SlurmdPort={node}
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
ProctrackType=proctrack/linuxproc
TaskPlugin=task/affinity
JobAcctGatherType=jobacct_gather/linux
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
ReturnToService=2
EnforcePartLimits=ALL
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} Gres=gpu:2 State=UNKNOWN
PartitionName=cpu Nodes={host} Default=YES MaxTime=INFINITE State=UP
PartitionName=gpu Nodes={host} MaxTime=INFINITE State=UP
"""


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
    """A cluster of one node, from `start` to `stop`; the folder holds its state and logs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.daemons: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Start munged, slurmctld and slurmd, and wait until the node takes jobs. Raises ClusterError."""
        for name in ("state", "spool", "munge"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "munge").chmod(0o711)
        self._configure()
        self._munged()
        self._daemon("slurmctld", "-D", "-c")
        self._daemon("slurmd", "-D")
        self._wait(lambda: set(told("sinfo", "-h", "-o", "%T").split()) == {"idle"}, "slurmctld", "slurmd")

    def stop(self) -> None:
        """Cancel what still runs, end the daemons and take the configuration away."""
        if "slurmctld" in self.daemons and self.daemons["slurmctld"].poll() is None:
            told("scancel", "--user", "root")
            deadline = time.monotonic() + STOP
            while told("squeue", "-h").strip() and time.monotonic() < deadline:
                time.sleep(0.2)
        for daemon in reversed(self.daemons.values()):
            daemon.send_signal(signal.SIGTERM)
            try:
                daemon.wait(STOP)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        for link in _links():
            if link.is_symlink() and link.readlink().is_relative_to(self.folder):
                link.unlink()

    def _configure(self) -> None:
        controller, node = _free_ports()
        host = socket.gethostname().partition(".")[0]
        values = {"host": host, "folder": self.folder, "controller": controller, "node": node}
        text = TEMPLATE.format(**values, cpus=os.cpu_count(), memory=MEMORY)
        (self.folder / "slurm.conf").write_text(text)
        # A device file is all that Slurm wants of a GPU.
        devices = "".join(f"NodeName={host} Name=gpu File=/dev/{name}\n" for name in ("null", "zero"))
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
        self._daemon("munged", "--foreground", "--force", *(f"--{name}={path}" for name, path in files.items()))
        self._wait((folder / "socket").exists, "munged")

    def _daemon(self, program: str, *options: str) -> None:
        where = shutil.which(program) or f"/usr/sbin/{program}"
        with (self.folder / f"{program}.log").open("wb") as log:
            self.daemons[program] = subprocess.Popen([where, *options], stdout=log, stderr=subprocess.STDOUT)

    def _wait(self, ready: Callable[[], bool], *programs: str) -> None:
        deadline = time.monotonic() + START
        while not ready():
            for program in programs:
                if self.daemons[program].poll() is not None:
                    raise ClusterError(f"{program} ended: {self._tail(program)}")
            if time.monotonic() > deadline:
                raise ClusterError(f"no answer within {START} s: {' '.join(map(self._tail, programs))}")
            time.sleep(0.2)

    def _tail(self, program: str) -> str:
        return (self.folder / f"{program}.log").read_text(errors="replace")[-2000:]


def told(*command: str) -> str:
    """What a Slurm command prints, errors included; empty where it does not answer in time."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=STOP)
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout


def _links() -> tuple[Path, Path]:
    return CONFIGURATION, CONFIGURATION.with_name("gres.conf")


def _answers() -> bool:
    return "is UP" in told("scontrol", "ping")


def _free_ports() -> tuple[int, int]:
    with socket.socket() as first, socket.socket() as second:
        for taken in (first, second):
            taken.bind(("127.0.0.1", 0))
        return first.getsockname()[1], second.getsockname()[1]
