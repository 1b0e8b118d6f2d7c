"""Write the README's results table from results/tables, so that its numbers are those of a run: `make readme`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd

from trainability.claims.verdicts import CONTRADICTED, VERDICTS

ROOT = Path(__file__).parents[1]
MARKED = re.compile(r"(<!-- results -->\n).*(<!-- end of results -->)", re.DOTALL)


def table() -> str:
    """Activations at the base setting, without and with batch normalization."""
    cells = pd.read_parquet(ROOT / "results/tables/cells.parquet")
    settings = json.loads((ROOT / "results/tables/config.json").read_text())
    record = json.loads(next(ROOT.glob("results/cells/*/record.json")).read_text())
    base, target = settings["base"], sorted(settings["targets"])[len(settings["targets"]) // 2]
    fixed = {name: base[name]["name"] for name in ("dataset", "preprocessing", "init")}
    fixed |= {name: base[name] for name in ("bias", "dropout", "depth", "width", "sizing")}
    at_base = cells[np.logical_and.reduce([cells[name] == value for name, value in fixed.items()])]
    lines = [
        "| activation | normalization | test accuracy "
        f"| steps to {target:.0%} validation accuracy | dead units | rate |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for activation in dict.fromkeys(at_base["activation"]):
        for normalization in ("none", "batchnorm"):
            found = at_base[(at_base["activation"] == activation) & (at_base["normalization"] == normalization)]
            lines += [_row(row, target) for _, row in found.iterrows()]
    lines += [
        "",
        f"{record['parameters']['dataset']['name']}, {base['depth']} hidden layers of {base['width']} units, "
        f"{base['init']['name']}, {base['preprocessing']['name']} input, {base['epochs']} epochs of SGD with momentum "
        f"{base['optimizer']['momentum']} in batches of {base['batch_size']}; means (steps: medians) over "
        f"{len(settings['seeds'])} seeds with 95 % bootstrap intervals, at the learning rate of "
        f"{', '.join(map(str, settings['learning_rates']))} that is best on validation data; dead units: mean share "
        f"over layers after training. {record['hardware']['processor']}, torch {record['versions']['torch']}. "
        "Made by `make report`, copied here by `make readme`.",
    ]
    return "\n".join(lines) + "\n"


def verdicts() -> str:
    """How many statements came out how, and those that the data contradict or leave open."""
    claims = pd.read_csv(ROOT / "results/tables/claims.csv", keep_default_na=False)
    counts = claims["verdict"].value_counts()
    said = ", ".join(f"{counts.get(verdict, 0)} {verdict}" for verdict in VERDICTS)
    lines = [
        f"Of {len(claims)} statements of the textbook, judged on these networks: {said}. **Contradicted here:**",
        "",
    ]
    lines += [f"- {statement}" for statement in claims.loc[claims["verdict"] == CONTRADICTED, "statement"]]
    return "\n".join([*lines, ""])


def _row(row: pd.Series, target: float) -> str:
    steps = f"steps_to_{target:g}"
    median, low, high = (_steps(row[f"median_{steps}{end}"]) for end in ("", "_low", "_high"))
    return (
        f"| {row['activation']} | {row['normalization']} | {_share(row, 'test_accuracy')} | {median} [{low}, {high}] "
        f"| {_share(row, 'dead_fraction')} | {row['learning_rate']:g}{' (edge)' if row['rate_edge'] else ''} |"
    )


def _share(row: pd.Series, name: str) -> str:
    value, low, high = (100 * row[name + end] for end in ("", "_low", "_high"))
    return f"{value:.1f} % [{low:.1f}, {high:.1f}]"


def _steps(value: float) -> str:
    return f"{value:g}" if np.isfinite(value) else "never"


if __name__ == "__main__":
    readme = ROOT / "README.md"
    text, places = MARKED.subn(lambda found: found[1] + table() + "\n" + verdicts() + found[2], readme.read_text())
    if places != 1:
        raise SystemExit("README.md must hold the two marks of the results table once")
    readme.write_text(text)
