"""Time per training step and run of our trainer, against runs per stack, width and depth: `make scaling`.

The points are timed in rounds, one after another, so that a slow minute of the machine does not fall on one point
alone. Data are random, since the time of a step does not depend on them. Times grow in proportion to the number of
cells, which are independent, so that number is no axis here.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from benchmarks import process
from benchmarks.stack import Stack, as_trained
from trainability import stacks
from trainability.cell import Cell
from trainability.prepared import Arrays
from trainability.workers import ENVIRONMENT

RESULTS = Path(__file__).parent / "results"
FEATURES, CLASSES, EXAMPLES = 64, 10, 1280
RATES = (0.001, 0.002, 0.003, 0.004, 0.005)  # runs of one seed, as in a cell: 160 runs are 32 seeds
RUNS = (1, 2, 5, 10, 20, 40, 80, 160)
WIDTHS = (16, 64, 128, 256, 512)
BATCHES = (32, 128)
DEPTHS = (1, 2, 5, 10, 20)
DEPTH, WIDTH, BATCH, STACK = 4, 64, 32, 40  # what the other factors are while one is varied
WARM_UP = 3  # steps before the clock starts


@dataclass(frozen=True)
class Point:
    """One thing to time."""

    runs: int
    width: int
    depth: int
    batch_size: int
    batchnorm: bool

    @property
    def cell(self) -> Cell:
        """A cell of enough seeds for the runs."""
        return Cell.model_validate(
            {
                "depth": self.depth,
                "width": self.width,
                "batch_size": self.batch_size,
                "normalization": "batchnorm" if self.batchnorm else "none",
                "seeds": -(-self.runs // len(RATES)),
                "learning_rates": list(RATES),
            }
        )


def grid(
    runs: tuple[int, ...] = RUNS, widths: tuple[int, ...] = WIDTHS, depths: tuple[int, ...] = DEPTHS
) -> list[Point]:
    """All points: runs x width x batch size at one depth, and depths at one width; without and with BatchNorm."""
    across = [
        Point(count, width, DEPTH, batch, norm)
        for count, width, batch, norm in itertools.product(runs, widths, BATCHES, (False, True))
    ]
    down = [Point(min(STACK, max(runs)), WIDTH, depth, BATCH, norm) for depth in depths for norm in (False, True)]
    return list(dict.fromkeys(across + down))


def milliseconds(point: Point, seconds: float) -> tuple[float, int]:
    """Median time of a step, per run, in ms, and the number of steps that took: at least 3, for about `seconds`."""
    stack = Stack(point.cell, _arrays(), CLASSES, point.cell.runs[: point.runs])
    times: list[float] = []
    with as_trained():
        for _ in range(WARM_UP):
            stack.next_step()
        while sum(times) < seconds or len(times) < 3:
            clock = time.perf_counter()
            stack.next_step()
            times.append(time.perf_counter() - clock)
    return 1e3 * statistics.median(times) / point.runs, len(times)


def measure(points: list[Point], rounds: int, seconds: float) -> pd.DataFrame:
    """A row per round and point, the points in another order every round."""
    rows = []
    for number in range(1, rounds + 1):
        for done, index in enumerate(np.random.default_rng(number).permutation(len(points)), start=1):
            point = points[index]
            each, steps = milliseconds(point, seconds)
            rows.append({"round": number, **asdict(point), "steps": steps, "ms_per_step_and_run": each})
            print(f"round {number}, {done}/{len(points)}: {point}: {each:.4f} ms", flush=True)
    return pd.DataFrame(rows).sort_values(["round", *Point.__dataclass_fields__], ignore_index=True)


def _arrays() -> Arrays:
    draw = np.random.default_rng(0)
    x = draw.standard_normal((EXAMPLES, FEATURES), dtype=np.float32)
    y = draw.integers(0, CLASSES, EXAMPLES)
    return Arrays(x, y, x[:64], y[:64], x[:64], y[:64])


def draw(table: pd.DataFrame, out: Path) -> None:
    """scaling.svg and scaling.png from what `measure` returned: medians over rounds on logarithmic axes.

    A ring marks the measured number of runs that is nearest to what the trainer would take.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import seaborn as sns

    sns.set_theme(style="ticks", context="notebook")
    factors = list(Point.__dataclass_fields__)
    medians = table.groupby(factors, as_index=False)["ms_per_step_and_run"].median()
    across = medians[medians["depth"] == DEPTH]
    figure, axes = plt.subplots(2, 3, figsize=(15, 9), sharey=True, layout="constrained")
    for row, norm in zip(axes, (False, True), strict=True):
        suffix = "BatchNorm" if norm else "no normalization"
        for axis, batch in zip(row, BATCHES, strict=False):
            shown = across[(across["batchnorm"] == norm) & (across["batch_size"] == batch)]
            widths = sorted(shown["width"].unique())
            palette = dict(zip(widths, sns.color_palette("viridis", len(widths)), strict=True))
            sns.lineplot(
                shown,
                x="runs",
                y="ms_per_step_and_run",
                hue="width",
                palette=palette,
                marker="o",
                legend=False,
                errorbar=None,
                ax=axis,
            )
            for width, of_width in shown.groupby("width"):
                taken = of_width.loc[(of_width["runs"] - _chosen(width, batch, norm)).abs().idxmin()]
                axis.plot(
                    *(taken["runs"], taken["ms_per_step_and_run"]),
                    marker="o",
                    markersize=13,
                    fillstyle="none",
                    color=palette[width],
                )
                last = of_width.loc[of_width["runs"].idxmax()]
                axis.annotate(
                    f"width {width}",
                    (last["runs"], last["ms_per_step_and_run"]),
                    xytext=(11, -4),
                    textcoords="offset points",
                    color=palette[width],
                    annotation_clip=False,
                )
            _label(axis, f"batch {batch}, {DEPTH} layers, {suffix}", "runs in a stack", sorted(shown["runs"].unique()))
            axis.set_xlim(right=axis.get_xlim()[1] * 5)
        deep = medians[
            (medians["batchnorm"] == norm)
            & (medians["width"] == WIDTH)
            & (medians["batch_size"] == BATCH)
            & (medians["runs"] == min(STACK, table["runs"].max()))
        ]
        sns.lineplot(deep, x="depth", y="ms_per_step_and_run", marker="o", color="0.25", errorbar=None, ax=row[-1])
        runs = int(deep["runs"].max())
        title = f"batch {BATCH}, width {WIDTH}, {runs} runs, {suffix}"
        _label(row[-1], title, "hidden layers", sorted(deep["depth"].unique()))
    figure.suptitle("Time of a training step per run, one thread; ringed is the stack that the trainer takes")
    figure.savefig(out / "scaling.svg")
    figure.savefig(out / "scaling.png", dpi=130)
    plt.close(figure)


def _chosen(width: int, batch: int, norm: bool) -> int:
    """Runs in the stacks of a cell of as many runs as were measured, by the trainer's rule."""
    cell = Point(max(RUNS), width, DEPTH, batch, norm).cell
    most = stacks.most_runs(cell, FEATURES, CLASSES, torch.device("cpu"))
    return max(map(len, stacks.split(cell.runs, most)))


def _label(axis, title: str, x: str, ticks: list[int]) -> None:
    axis.set(xscale="log", yscale="log", title=title, xlabel=x, ylabel="ms per step and run")
    axis.set_xticks(ticks, [str(tick) for tick in ticks])
    axis.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)
    axis.yaxis.set_major_formatter("{x:g}")
    axis.grid(True, which="both", alpha=0.3)


def main() -> None:
    """Time all points and write scaling.csv, scaling.svg and scaling.png."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=main.__doc__)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=0.5, help="for each point and round, at least")
    parser.add_argument("--quick", action="store_true", help="few small points, to see that it works")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    arguments = parser.parse_args()
    process.restart_with(ENVIRONMENT)
    process.pin_to_one_core()
    arguments.out.mkdir(parents=True, exist_ok=True)
    points = grid((1, 5, 20), (16, 64), (1, 4)) if arguments.quick else grid()
    table = measure(points, arguments.rounds, 0.02 if arguments.quick else arguments.seconds)
    table.to_csv(arguments.out / "scaling.csv", index=False, float_format="%.6g")
    draw(table, arguments.out)


if __name__ == "__main__":
    main()
