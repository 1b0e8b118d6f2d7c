"""A small experiment, trained through the package in about a second, for the tests of the report."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import pandas as pd

from trainability import config, datasets, manifests, plan, prepared, record, tables, training
from trainability.claims import Claim, outcome, sheets
from trainability.figures import FIGURES

SOURCES = Path(__file__).parents[1] / "report"
CONFIG: dict[str, Any] = {
    "title": "A small experiment",
    "base": {"depth": 2, "width": 8, "epochs": 2, "batch_size": 32, "probe_examples": 64},
    "seeds": 2,
    "learning_rates": [0.05, 1e6],
    "targets": [0.15, 0.2],
    "studies": {
        "activations": {
            "question": "Which activation is fastest?",
            "grid": {
                "activation": ["relu", "elu"],
                "init": ["kaiming_normal", "xavier_normal"],
                "normalization": ["none", "batchnorm"],
            },
            "exclude": [{"when": "activation == 'elu' and init == 'xavier_normal'", "reason": "two are enough"}],
        }
    },
}
KINDS = {
    "contrast": {"name": "contrast", "treatment": "activation == 'elu'", "control": "activation == 'relu'"},
    "level": {"name": "level", "where": "activation == 'relu'"},
}
RULE = {"name": "exceeds", "by": 0.02, "why": "two points"}


def claim(name: str, kind: str = "contrast", **values: Any) -> Claim:
    """A statement on the sample."""
    common = {"statement": f"Statement {name}.", "source": "A paper", "family": "some-family", "study": "activations"}
    common |= {"metric": "test_accuracy", "expect": "higher", "evidence": KINDS[kind], "rule": RULE, "seeds": 2}
    return Claim.model_validate(common | {"id": name} | values)


CLAIMS = (
    claim("faster", metric="steps", expect="lower", rule={"name": "exceeds", "factor": 1.5, "why": "half"}),
    claim("better", published={"says": "five points", "figures": [{"by": 0.05}]}),
    claim("alike", expect="either", rule={"name": "equivalent", "within": 0.01, "why": "a point"}),
    claim("elsewhere", study="other", family="another"),
    claim("level", "level", metric="dead_fraction", expect="lower", rule=RULE | {"by": -0.1}),
)
# Two seeds decide nothing, so two verdicts are stand-ins, one of them with an infinite bound.
DECIDED = {
    "faster": {"verdict": "supported", "reason": "", "estimate": 1.0, "low": math.log2(1.6), "high": math.inf},
    "better": {"verdict": "contradicted", "reason": "", "estimate": -0.123, "low": -0.2, "high": -0.05},
}
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="{width}pt" height="200pt" viewBox="0 0 {width} 200">'
    '<text x="9" y="30">{name}</text></svg>'
)


class Sample:
    """An experiment below `folder`, as the workflow would leave it, but with stand-ins for its figures."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        self.settings = config.read(CONFIG | changes)
        self.plan = plan.make_plan(self.settings)
        self.tables, self.figures = folder / "tables", folder / "figures"
        self.cells, self.data = folder / "cells", folder / "data"
        self.logs = folder / "logs"
        self.sources, self.page = SOURCES, folder / "report.html"

    def make(self) -> Sample:
        """Prepare, train and tabulate; return self."""
        for cell in plan.included(self.plan).values():
            self._train(cell)
        collected = tables.collect(self.plan, self.cells, self.settings.targets)
        tables.write(collected, self.tables)
        self._judge(collected["runs"], collected["cells"])
        self._illustrate()
        return self

    @property
    def arguments(self) -> tuple[Any, ...]:
        """What `report.render` takes."""
        folders = (self.tables, self.figures, self.cells, self.data, self.logs, self.sources)
        return (self.settings, self.plan, *folders, self.page)

    def _train(self, cell: Any) -> None:
        folder = self._prepare(cell)
        manifest, arrays = prepared.load(folder)
        outcome = training.train(cell, arrays, manifest["classes"])
        times = {"started": "2026-01-01T00:00:00+00:00", "ended": "2026-01-01T00:01:00+00:00"}
        record.write(self.cells / cell.key, cell, outcome, manifest, times, 1.5)

    def _prepare(self, cell: Any) -> Path:
        """The data of a cell, prepared once; returns their folder."""
        raw = self.data / cell.dataset.slug
        folder = raw / cell.preprocessing.slug
        if not (folder / "preprocessing.json").exists():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # of scikit-learn's own imports
                datasets.prepare(cell.dataset, raw, None, raw)
            prepared.prepare(cell.preprocessing, raw, folder)
        return folder

    def _judge(self, runs: pd.DataFrame, cells: pd.DataFrame) -> None:
        judged = outcome.tables(CLAIMS, sheets.Tables(self.settings, runs, cells, {}))
        rows = [row | DECIDED.get(row["claim"], {}) for row in judged["claims"].to_dict("records")]
        outcome.write({"claims": pd.DataFrame(rows), "evidence": judged["evidence"]}, self.tables)

    def _illustrate(self) -> None:
        for number, name in enumerate(FIGURES):
            self._draw(name, 700 if number % 2 else 300)

    def _draw(self, name: str, width: int) -> None:
        cells = plan.included(self.plan)
        rows = [f"{cell.activation.label},{n},{n + 0.123456789},{key}" for n, (key, cell) in enumerate(cells.items())]
        drawn = {"svg": SVG.format(name=name, width=width), "csv": "\n".join(["activation,step,value,cell", *rows, ""])}
        words = {"name": name, "title": name, "alt": f"Alt of {name}", "caption": f"Caption of {name}"}
        contents = {f"{name}.{kind}": text.encode() for kind, text in drawn.items()}
        manifests.save_described(self.figures / f"{name}.json", contents, words | {"section": FIGURES[name].section})
