"""One measurement in a process of its own: `python -m benchmarks.measure PEER WORKLOAD --data DIR`, a line of JSON.

The libraries are imported and this process is warm when the clock starts, as in our workers; only `script` starts
a process per run within its time.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import process
from benchmarks.peers import PEERS, MissingError
from benchmarks.protocol import Job
from benchmarks.workloads import WORKLOADS


def measure(peer_name: str, job: Job) -> dict[str, Any]:
    """Whole and steady seconds of a cell, share of measuring, and accuracies of one peer."""
    peer = PEERS[peer_name]
    module = peer.module()
    cell_runs = len(job.workload.runs)
    row: dict[str, Any] = {"runs": len(job.runs), "scale": cell_runs / len(job.runs)}
    if peer.learns:
        clock = time.perf_counter()
        training = module.train(job)
        row["whole_seconds"] = time.perf_counter() - clock
        row["accuracy"] = sum(training.accuracies) / len(training.accuracies)
        row["lowest_accuracy"] = min(training.accuracies)
        if peer.loop:  # what happens once, in the first run, is not scaled
            row["whole_seconds"] += _mean(training.runs[1:]) * (cell_runs - len(job.runs))
        if training.epochs:
            epochs = job.workload.epochs * (cell_runs if peer.loop else 1)
            row["steady_seconds"] = _mean(training.epochs) * epochs
    if hasattr(module, "steady"):
        row["steady_seconds"] = module.steady(job)
        if peer.learns:
            row["measuring_share"] = 1 - row["steady_seconds"] / row["whole_seconds"]
    row["peak_memory_mb"] = process.peak_memory()
    return row


def _mean(seconds: list[float]) -> float:
    return sum(seconds) / len(seconds)


def main() -> int:
    """Measure, and print the result as the last line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.measure", description=main.__doc__)
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("workload", choices=WORKLOADS)
    parser.add_argument("--data", type=Path, required=True, help="folder that benchmarks.data.prepare wrote")
    parser.add_argument("--turn", type=int, default=0, help="which seed a loop over single trainings trains")
    parser.add_argument("--quick", action="store_true", help="two seeds, two epochs")
    arguments = parser.parse_args()
    peer, workload = PEERS[arguments.peer], WORKLOADS[arguments.workload]
    process.restart_with(process.ONE_THREAD | dict(peer.environment))
    process.pin_to_one_core()
    workload = workload.quick() if arguments.quick else workload
    runs = workload.of_one_seed(arguments.turn) if peer.loop else workload.runs
    try:
        row = measure(peer.name, Job(workload, runs, arguments.data / workload.data))
    except MissingError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(row))
    return 0


if __name__ == "__main__":
    sys.exit(main())
