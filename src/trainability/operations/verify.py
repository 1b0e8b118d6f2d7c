"""Train cells again beside their records, in the way of the workflow's rule `train`, and compare.

The new record is in a folder of its own, below `results/verify` where it is kept; the old one stays as it is, with a
note beside it (trainability/verified.py).
"""

from __future__ import annotations

import datetime
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from trainability import files, record, verified, workers
from trainability.cell import Cell
from trainability.operations import agreement
from trainability.operations.agreement import Agreement, Difference
from trainability.verified import Verified

SHOWN = 8  # columns


def verify(
    chosen: Sequence[Cell], results: Path, device: str, at_once: int, keep: bool
) -> Iterator[tuple[Cell, Agreement | Exception]]:
    """Train each cell again, some `at_once`, and yield how both trainings compare, or why that cannot be said.

    With `keep` the new record stays in `results`/verify/KEY. A problem with one cell leaves the others alone.
    """

    def one(cell: Cell) -> Agreement | Exception:
        try:
            return _again(cell, results, device, keep)
        except (files.CorruptFileError, workers.JobError) as error:
            return error

    with ThreadPoolExecutor(at_once) as pool:
        yield from zip(chosen, pool.map(one, chosen), strict=True)


def lines(cell: Cell, found: Agreement) -> Iterator[str]:
    """The comparison in words: run by run, by column, and what explains it."""
    total, differing = len(found.runs), int(found.differs.sum())
    if found.equal:
        yield f"{cell.key}: all {total} runs agree to the last bit"
        if found.digests[0] != found.digests[1]:
            yield "  the files have other digests all the same: the same figures, written differently"
    else:
        yield f"{cell.key}: {differing} of {total} runs differ"
        for (seed, rate), differs in zip(found.runs, found.differs.tolist(), strict=True):
            yield f"  seed {seed}, learning rate {rate:g}: {'differs' if differs else 'agrees to the last bit'}"
        yield "  largest difference by column:"
        yield from (f"    {_column(item)}" for item in found.differences[:SHOWN])
        if len(found.differences) > SHOWN:
            yield f"    and {len(found.differences) - SHOWN} more columns"
    explained = "; ".join(f"{name} {old} then, {new} now" for name, (old, new) in found.explained_by.items())
    if explained:
        yield f"  {'in spite of' if found.equal else 'what may explain it'}: {explained}"
    elif not found.equal:
        yield (
            "  code, data, versions, processor, device and threads are those of the record, so they do not explain it: "
            "the record was altered, or the training is not reproducible here"
        )


def _column(item: Difference) -> str:
    size = "not comparable" if item.largest is None else f"{item.largest:.3g}"
    return f"{item.table}, {item.column}: {size}, in {item.runs} run{'s' if item.runs > 1 else ''}"


def _again(cell: Cell, results: Path, device: str, keep: bool) -> Agreement:
    old = record.read(results / "cells" / cell.key)
    folder = Path(tempfile.mkdtemp(prefix=".verify.", dir=results))
    try:
        workers.run(
            "train",
            cell=cell.canonical,
            data=results / "data" / cell.inputs,
            device=device,
            spare="",
            out=folder,
            log=results / f"logs/verify/{cell.key}.log",
        )
        new = record.read(folder)
        found = agreement.compare(old, new)
        verified.write(results / "cells" / cell.key, _note(cell, found, new.content["times"]["train_seconds"]))
        if keep:
            kept = results / "verify" / cell.key
            kept.parent.mkdir(exist_ok=True)
            shutil.rmtree(kept, ignore_errors=True)
            folder.chmod(0o755)
            folder.rename(kept)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return found


def _note(cell: Cell, found: Agreement, seconds: float) -> Verified:
    return Verified(
        cell=cell.key,
        digest=found.digests[0],
        again=found.digests[1],
        equal=found.equal,
        runs=len(found.runs),
        differing=int(found.differs.sum()),
        differences=tuple(vars(item) for item in found.differences),
        fingerprints={"record": found.fingerprints[0], "again": found.fingerprints[1]},
        when=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        seconds=seconds,
    )
