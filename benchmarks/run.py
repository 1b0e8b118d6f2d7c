"""The whole comparison: rounds of one measurement per workload and peer, each in a fresh process."""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import data, machine, process, table
from benchmarks.peers import PEERS
from benchmarks.workloads import WORKLOADS, Workload

ROUNDS = 3
QUICK_RESULTS = Path("build/benchmarks")  # a trial must not replace results that are kept
LIMIT_SECONDS = 900
TAIL = 1500  # characters of a failed peer's last words that are kept
COLUMNS = (
    "round", "workload", "peer", "status", "whole_seconds", "steady_seconds", "measuring_share", "accuracy",
    "lowest_accuracy", "runs", "scale", "peak_memory_mb", "versions", "error",
)  # fmt: skip


def main() -> int:
    """Compare our trainer with what one would use instead; see benchmarks/README.md."""
    arguments = _arguments()
    if arguments.readme:
        table.check_markers()  # before half an hour of measuring, not after it
    out = arguments.out or (QUICK_RESULTS if arguments.quick else table.RESULTS)
    out.mkdir(parents=True, exist_ok=True)
    workloads = [WORKLOADS[name].quick() if arguments.quick else WORKLOADS[name] for name in arguments.workloads]
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder, open(out / "raw.csv", "w", newline="") as raw:
        data.prepare(workloads, Path(folder), arguments.fashion)
        _describe(out / "machine.json", workloads, arguments)
        rows = csv.DictWriter(raw, COLUMNS, lineterminator="\n")
        rows.writeheader()
        for number in range(1, arguments.rounds + 1):
            for workload in workloads:
                # Another order every round, so that no peer always follows the same one.
                for peer in np.random.default_rng(number).permutation(arguments.peers).tolist():
                    rows.writerow(measurement(number, peer, workload, Path(folder), arguments.quick))
                    raw.flush()
    complaints = table.write(out, arguments.readme)
    if arguments.quick:  # after two epochs accuracies still depend on the initial weights
        complaints = [line for line in complaints if "failed" in line]
    for line in complaints:
        print(line, file=sys.stderr)
    print(out / "table.md")
    return 1 if complaints else 0


def measurement(number: int, peer: str, workload: Workload, folder: Path, quick: bool) -> dict[str, Any]:
    """One row of raw.csv; a failure is a row too."""
    row: dict[str, Any] = {"round": number, "workload": workload.name, "peer": peer}
    if workload.needs & PEERS[peer].lacks:
        return row | {"status": "not applicable"}
    words = [sys.executable, "-m", "benchmarks.measure", peer, workload.name, "--data", str(folder)]
    words += ["--turn", str(number - 1), *(["--quick"] if quick else [])]
    clock = time.perf_counter()
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=LIMIT_SECONDS)
        status, error, printed = done.returncode, done.stderr.strip()[-TAIL:], done.stdout
    except subprocess.TimeoutExpired:
        status, error, printed = 1, f"not done after {LIMIT_SECONDS} s", ""
    took = f"round {number}, {workload.name}, {peer}: {time.perf_counter() - clock:.0f} s"
    if status:
        print(f"{took}, failed:\n{error}", file=sys.stderr, flush=True)
        return row | {"status": "failed", "error": error.rpartition("\n")[2]}
    figures = json.loads(printed.splitlines()[-1])
    print(f"{took}; {_shown(figures)}", flush=True)
    versions = " ".join(f"{name}={version}" for name, version in machine.versions().items())
    return row | {"status": "ok", "versions": versions} | figures


def _shown(figures: dict[str, Any]) -> str:
    names = ("whole_seconds", "steady_seconds", "accuracy")
    return ", ".join(f"{name} {figures[name]:.3g}" for name in names if name in figures)


def _describe(path: Path, workloads: list[Workload], arguments: argparse.Namespace) -> None:
    warnings = ["**A quick trial: these figures mean nothing.**"] if arguments.quick else []
    told = {workload.name: table.conditions(workload) for workload in workloads}
    content = machine.describe() | {"workloads": told, "warnings": warnings}
    content["environment"] = process.ONE_THREAD
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=main.__doc__)
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=list(WORKLOADS), metavar="WORKLOAD")
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS), metavar="PEER")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--quick", action="store_true", help="two seeds, two epochs: only to see that all works")
    parser.add_argument("--out", type=Path, help="folder of the results")
    parser.add_argument("--readme", action="store_true", help="also put the short table into README.md")
    fashion = Path("/usr/share/datasets/fashion-mnist")
    help_text = "folder with Fashion-MNIST's files (Debian's package dataset-fashion-mnist puts them in the default)"
    parser.add_argument("--fashion", type=Path, default=fashion, help=help_text)
    return parser.parse_args()
