"""The arrays that every peer reads: prepared once, by our own modules."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from benchmarks.workloads import Workload
from trainability import datasets, prepared

ARRAYS = "arrays.npz"  # train_x [n, d] float32, train_y [n] int64, and so for validation and test


def prepare(workloads: Iterable[Workload], out: Path, fashion: Path) -> None:
    """Write the standardized arrays of each workload to `out`/DATA; Fashion-MNIST's files are read from `fashion`."""
    for name, workload in {workload.data: workload for workload in workloads}.items():
        splits, cell = out / "splits" / name, workload.cell
        datasets.prepare(
            cell.dataset, splits, fashion if cell.dataset.name == "fashion_mnist" else None, out / "download"
        )
        prepared.prepare(cell.preprocessing, splits, out / name)
