"""Runs in a database of MLflow: an experiment, and a run with parameters, tags and metrics over steps for each of ours.

MLflow's store of plain files is no more, so `mlflow.db` is SQLite. It gives each run an identity by chance: this is
the one export whose bytes differ from time to time.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from trainability.exports import Choice, ExportError, curves, required
from trainability.exports.curves import Run
from trainability.exports.results import Results

DATABASE = "mlflow.db"
MOST = 1000  # metrics in a batch that MLflow takes


def export(results: Results, out: Path, choice: Choice) -> str:
    """Write `out`/mlflow.db; raises ExportError if it is there, since a second export would double its runs."""
    required("mlflow", "mlflow")
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param, RunTag

    path = out / DATABASE
    if path.exists():
        raise ExportError(f"{path} exists, and a second export would double its runs: delete it, or name another --out")
    out.mkdir(parents=True, exist_ok=True)
    uri = f"sqlite:///{path.resolve()}"
    number = log(MlflowClient(tracking_uri=uri), (Metric, Param, RunTag), results, out, curves.runs(results, choice))
    return f"{number} runs in {path}; look at them with: mlflow ui --backend-store-uri {uri}"


def log(client: Any, entities: tuple[Any, Any, Any], results: Results, out: Path, chosen: Iterator[Run]) -> int:
    """Log runs through a client of MLflow and return their number; `entities` are its Metric, Param and RunTag.

    Times are 0: the tables of an experiment know steps only.
    """
    metric, param, tag = entities
    experiment = client.create_experiment(
        results.settings.title, artifact_location=(out / "artifacts").resolve().as_uri()
    )
    number = 0
    for number, run in enumerate(chosen, 1):  # noqa: B007
        made = client.create_run(experiment, start_time=0, run_name=run.name)
        client.log_batch(
            made.info.run_id,
            params=[param(name, str(value)) for name, value in run.parameters.items()],
            tags=[tag(name, value) for name, value in run.text.items() if value],
        )
        metrics = (metric(name, value, 0, step) for name, value, step in figures(run))
        while batch := list(islice(metrics, MOST)):
            client.log_batch(made.info.run_id, metrics=batch)
        failed = run.text["status"] == "diverged"
        client.set_terminated(made.info.run_id, "FAILED" if failed else "FINISHED", end_time=0)
    return number


def figures(run: Run) -> Iterator[tuple[str, float, int]]:
    """Name, value and step of everything that was measured; what is known of the end alone is `final/NAME`."""
    last = max(step for points in run.scalars.values() for step, _ in points)
    for name, points in run.scalars.items():
        for step, value in points:
            yield name, value, step
    for name, value in run.final.items():
        yield f"final/{name}", value, last
