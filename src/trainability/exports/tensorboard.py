"""Event files of TensorBoard: a folder a run, with its scalars over steps, its parameters and its last figures.

The records are written one by one rather than by a SummaryWriter, which stamps each with the time and puts host, time
and process into the file's name: a run's file has one name, the same bytes every time, and replaces its former self.
"""

from __future__ import annotations

import io
from pathlib import Path

from trainability.exports import Choice, curves, required
from trainability.exports.curves import Run
from trainability.exports.results import Results

FILE = "events.out.tfevents.0.trainability"
VERSION = "brain.Event:2"  # of the format, which its first record names


def export(results: Results, out: Path, choice: Choice) -> str:
    """Write `out`/CELL/seed-S-rate-R/ for each chosen run."""
    required("tensorboard", "tensorboard")
    number = 0
    for number, run in enumerate(curves.runs(results, choice), 1):  # noqa: B007
        path = out / run.name / FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(events(run))  # not synchronised with the disk, which takes minutes for thousands of files
    return f"{number} runs in {out}; look at them with: tensorboard --logdir {out}"


def events(run: Run) -> bytes:
    """A run's event file. Times are 0: the tables of an experiment know steps only."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.summary.writer.record_writer import RecordWriter
    from torch.utils.tensorboard import summary

    buffer = io.BytesIO()
    writer = RecordWriter(buffer)
    writer.write(Event(wall_time=0.0, file_version=VERSION).SerializeToString())
    last = {f"final/{name}": value for name, value in run.final.items()}
    records = [(0, one) for one in summary.hparams(run.parameters | {"status": run.text["status"]}, last)]
    steps = max(step for points in run.scalars.values() for step, _ in points)
    records += [(steps, summary.scalar(name, value)) for name, value in last.items()]
    for name, points in run.scalars.items():
        records += [(step, summary.scalar(name, value)) for step, value in points]
    for step, record in records:
        writer.write(Event(wall_time=0.0, step=step, summary=record).SerializeToString(deterministic=True))
    return buffer.getvalue()
