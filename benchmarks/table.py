"""From raw measurements to tables: `python -m benchmarks.table [--out DIR] [--readme]`, which `run` calls too.

Ratios are taken within a round, so that a slow hour of the machine is in both of its sides, and then their median.
"""

from __future__ import annotations

import argparse
import json
import math
import re
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.peers import LIMIT, OURS, PEERS
from benchmarks.workloads import WORKLOADS, Workload
from trainability.report.wording import count

RESULTS = Path(__file__).parent / "results"
README = Path(__file__).parents[1] / "README.md"
MARKED = re.compile(r"(<!-- benchmark -->\n).*(<!-- end of benchmark -->)", re.DOTALL)
TOLERANCE = 0.03  # mean test accuracies that differ by more are not those of the same training
NONE = "–"  # noqa: RUF001
Interval = tuple[float, float, float]  # median, least, largest
UNKNOWN: Interval = (math.nan, math.nan, math.nan)


class MarkerError(Exception):
    """The README has no place for the table."""


def summary(raw: pd.DataFrame) -> pd.DataFrame:
    """A row per workload and peer, in the order of the registries.

    `whole` and `steady` are median seconds per cell; `whole_to_ours`, `steady_to_ours` and `steady_to_limit` are
    intervals of per-round ratios; `agrees` says whether the accuracy is ours within TOLERANCE (True if unknown).
    `status` is ok, failed (in any round) or not applicable.
    """
    rows = []
    for workload, of_workload in raw.groupby("workload"):
        by_peer = {peer: of_peer.set_index("round") for peer, of_peer in of_workload.groupby("peer")}
        ours, limit = by_peer.get(OURS), by_peer.get(LIMIT)
        for peer, found in by_peer.items():
            accuracy = found["accuracy"].mean()
            apart = math.nan if ours is None else abs(accuracy - ours["accuracy"].mean())
            rows.append(
                {
                    "workload": workload,
                    "peer": peer,
                    "status": _status(found["status"]),
                    "whole": found["whole_seconds"].median(),
                    "steady": found["steady_seconds"].median(),
                    "whole_to_ours": _ratio(found, ours, "whole_seconds"),
                    "steady_to_ours": _ratio(found, ours, "steady_seconds"),
                    "steady_to_limit": _ratio(found, limit, "steady_seconds"),
                    "measuring_share": found["measuring_share"].median(),
                    "peak_memory_mb": found["peak_memory_mb"].median(),
                    "rounds": len(found),
                    "accuracy": accuracy,
                    "agrees": not apart > TOLERANCE,
                }
            )
    order = {name: place for place, name in enumerate([*WORKLOADS, *PEERS])}
    return pd.DataFrame(rows).sort_values(["workload", "peer"], key=lambda names: names.map(order), ignore_index=True)


def full(table: pd.DataFrame, machine: dict[str, Any]) -> str:
    """The Markdown of table.md: for each workload a table, and under it what was measured."""
    parts = ["# Benchmark", *machine["warnings"]]
    for name, rows in table.groupby("workload", sort=False):
        parts += [f"## {name}", _of_workload(rows, machine["workloads"][name]), _conditions(rows, machine, name)]
    return "\n\n".join([*parts, _machine(machine)]) + "\n"


def compact(table: pd.DataFrame, machine: dict[str, Any]) -> str:
    """The README's table: a row per peer; for each workload the time of the whole cell and of its steps, times ours."""
    names = list(table["workload"].unique())
    lines = [_row(["time, as a multiple of ours", *names]), _row(["---"] * (1 + len(names)))]
    for peer in table["peer"].drop_duplicates().sort_values(key=lambda peers: peers.map(list(PEERS).index)):
        cells = [PEERS[peer].title]
        for name in names:
            row = table[(table["workload"] == name) & (table["peer"] == peer)].iloc[0]
            cells.append(_pair(row))
        lines.append(_row(cells))
    first = machine["workloads"][names[0]]
    text = (
        "Whole cell, from the job's start to its results, and in brackets the training steps alone; medians of ratios "
        f"within {_rounds(table)}, interleaved. {first['runs']} runs (seed, learning rate) per cell, one "
        "thread on one core. Ours alone also measures the networks as they learn, which is in its whole cell and not "
        f"in its steps. {_machine(machine)} Made by `make bench`; more in "
        "[benchmarks/results/table.md](benchmarks/results/table.md)."
    )
    return "\n".join([*machine["warnings"], *lines, "", text]) + "\n"


def into_readme(text: str, readme: Path = README) -> None:
    """Put `text` between the README's markers; raises MarkerError if they are missing."""
    check_markers(readme)
    old = readme.read_text(encoding="utf-8")
    new = MARKED.sub(lambda found: f"{found[1]}{text}{found[2]}", old)
    readme.write_text(new, encoding="utf-8")


def check_markers(readme: Path = README) -> None:
    """Raise MarkerError unless the README has a place for the table."""
    if not MARKED.search(readme.read_text(encoding="utf-8")):
        raise MarkerError(
            f"{readme.name} has no place for the table: it needs the lines <!-- benchmark --> and "
            "<!-- end of benchmark -->, in this order"
        )


def complaints(table: pd.DataFrame) -> list[str]:
    """What is wrong with the measurements, a line each: failed peers, and those that did not learn as ours did."""
    failed = table[table["status"] == "failed"]
    differing = table[~table["agrees"]]
    return [
        *(f"{row.peer} failed on {row.workload}" for row in failed.itertuples()),
        *(
            f"{row.peer} on {row.workload}: mean test accuracy {row.accuracy:.3f} differs from ours by more than "
            f"{TOLERANCE:g}"
            for row in differing.itertuples()
        ),
    ]


def write(out: Path, readme: bool) -> list[str]:
    """Make table.md from raw.csv and machine.json in `out`, and the README's table if asked; return complaints."""
    raw = pd.read_csv(out / "raw.csv")
    machine = json.loads((out / "machine.json").read_text(encoding="utf-8"))
    table = summary(raw)
    (out / "table.md").write_text(full(table, machine), encoding="utf-8")
    if readme:
        into_readme(compact(table, machine))
    return complaints(table)


def conditions(workload: Workload) -> dict[str, Any]:
    """What the tables say of a workload."""
    cell = workload.cell
    return {
        "runs": len(workload.runs),
        "seeds": workload.seeds,
        "learning_rates": list(workload.learning_rates),
        "epochs": workload.epochs,
        "batch_size": workload.batch_size,
        "train_examples": cell.dataset.train_size,
    }


def _status(found: pd.Series) -> str:
    return next((status for status in ("failed", "not applicable") if (found == status).any()), "ok")


def _ratio(found: pd.DataFrame, other: pd.DataFrame | None, column: str) -> Interval:
    if other is None:
        return UNKNOWN
    ratios = (found[column] / other[column]).dropna()
    return (ratios.median(), ratios.min(), ratios.max()) if len(ratios) else UNKNOWN


def _of_workload(rows: pd.DataFrame, workload: dict[str, Any]) -> str:
    header = ["", "whole cell, s", "times ours", "steps, ms per epoch and run", "times the products", "test accuracy"]
    lines = [_row(header), _row(["---", *["---:"] * (len(header) - 1)])]
    for row in rows.itertuples():
        title = f"`{row.peer}`: {PEERS[row.peer].title}"
        if row.status != "ok":
            lines.append(_row([title, row.status, *[NONE] * 4]))
            continue
        accuracy = NONE if math.isnan(row.accuracy) else f"{row.accuracy:.1%}" + ("" if row.agrees else " **differs**")
        each = 1e3 * row.steady / (workload["epochs"] * workload["runs"])
        figures = [_number(row.whole), _interval(row.whole_to_ours), _number(each), _interval(row.steady_to_limit)]
        lines.append(_row([title, *figures, accuracy]))
    return "\n".join(lines)


def _conditions(rows: pd.DataFrame, machine: dict[str, Any], name: str) -> str:
    workload = machine["workloads"][name]
    rates = workload["learning_rates"]
    loops = ", ".join(f"`{peer}`" for peer in rows["peer"] if PEERS[peer].loop)
    text = (
        f"{workload['runs']} runs ({workload['seeds']} seeds x learning rates {', '.join(map(str, rates))}), "
        f"{workload['train_examples']} training examples, batches of {workload['batch_size']}, "
        f"{workload['epochs']} epochs; {_rounds(rows)}: medians, in brackets the least and the largest."
    )
    if loops:
        text += f" {loops}: one seed a round, {len(rates)} runs, scaled to {workload['runs']}."
    ours = rows[(rows["peer"] == OURS) & (rows["status"] == "ok")]
    if len(ours):
        text += f" Of our whole cell, {ours['measuring_share'].iloc[0]:.0%} is measuring and writing."
    return text


def _rounds(rows: pd.DataFrame) -> str:
    """In how many rounds the rows were measured, e.g. `2 rounds` or, where workloads differ, `1 to 2 rounds`."""
    least, most = rows["rounds"].min(), rows["rounds"].max()
    return count(most, "round") if least == most else f"{least} to {most} rounds"


def _machine(machine: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    caches = ", ".join(f"{name} {size}" for name, size in machine.get("caches", {}).items())
    caches = f" ({caches})" if caches else ""
    return (
        f"{machine['processor']}{caches}, one of {machine['cores']} cores; Python {machine['python']}, {versions}; "
        f"{machine['date']}."
    )


def _pair(row: pd.Series) -> str:
    """Whole and steady ratio to ours, e.g. `12 (8.3)`."""
    if row["status"] != "ok":
        return NONE if row["status"] == "not applicable" else str(row["status"])
    mark = "" if row["agrees"] else " **learns differently**"
    return f"{_number(row['whole_to_ours'][0])} ({_number(row['steady_to_ours'][0])}){mark}"


def _interval(values: Interval) -> str:
    median, low, high = map(_number, values)
    if median == NONE:
        return NONE
    return median if low == median == high else f"{median} ({low} to {high})"


def _number(value: float) -> str:
    """Three digits, without an exponent."""
    if math.isnan(value):
        return NONE
    rounded = float(f"{value:.3g}")
    decimals = max(0, 2 - math.floor(math.log10(rounded))) if rounded > 0 else 0
    return f"{rounded:.{decimals}f}"


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Make the tables anew from what was measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.table", description=main.__doc__)
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    parser.add_argument("--readme", action="store_true", help="also put the short table into README.md")
    arguments = parser.parse_args()
    for line in write(arguments.out, arguments.readme):
        print(line)


if __name__ == "__main__":
    main()
