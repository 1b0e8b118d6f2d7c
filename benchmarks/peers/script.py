"""The script that one would write, started anew for every run.

It is started with -P: the modules beside it have the names of the libraries that they are about.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

from benchmarks.data import ARRAYS
from benchmarks.protocol import Job, Training

SCRIPT = Path(__file__).with_name("plain_script.py")


def train(job: Job) -> Training:
    """A process per run; starting it and importing torch is part of the time."""
    training = Training()
    settings = json.dumps(asdict(job.workload) | {"network": asdict(job.network)})
    for seed, rate in job.runs:
        started = time.perf_counter()
        words = [sys.executable, "-P", str(SCRIPT), str(job.folder / ARRAYS), settings, str(seed), str(rate)]
        printed = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout
        result = json.loads(printed)
        training.accuracies.append(result["accuracy"])
        training.epochs += result["epochs"][1:]
        training.runs.append(time.perf_counter() - started)
    return training
