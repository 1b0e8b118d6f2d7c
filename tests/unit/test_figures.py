"""Figures: true to the tables, the same bytes every time, and a sentence where there is nothing to draw."""

from __future__ import annotations

import base64
import dataclasses
import io
import itertools
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2
import matplotlib.image as plt_image
import numpy as np
import pandas as pd
import pytest

from trainability import config, convergence, datasets, figures, health, plan, prepared, provenance, record, tables
from trainability.cell import FACTORS, Cell
from trainability.config import Config
from trainability.figures import canvas, experiment, heatmaps, inputs, lines, output, rates, scales, signal, text
from trainability.figures.experiment import Experiment, short_names
from trainability.generated import Generated
from trainability.plan import Plan
from trainability.record import Record

STEPS = [0, 8, 16, 36, 72]
PROBED = [0, 16, 72]
DEPTH = 3
GRID: dict[str, Any] = {
    "title": "small",
    "base": {"depth": DEPTH, "epochs": 2, "probe_examples": 64},
    "seeds": 3,
    "learning_rates": [0.01, 0.1],
    "targets": [0.5, 0.8, 0.9],
    "studies": {
        "by_init": {
            "question": "q",
            "grid": {
                "activation": ["sigmoid", "relu"],
                "init": ["zeros", "small_normal", "kaiming_normal"],
                "normalization": ["none", "batchnorm"],
            },
            "exclude": [
                {"when": "init == 'zeros' and normalization == 'batchnorm' and activation == 'relu'", "reason": "r"}
            ],
        },
        "preprocessing": {
            "question": "q",
            "grid": {"preprocessing": ["raw", "standardize", "pca"], "activation": ["sigmoid", "relu"]},
        },
        "depth": {"question": "q", "grid": {"depth": [2, 6], "init": ["small_normal", "kaiming_normal"]}},
    },
}


def ok(cell: Cell) -> str:
    """Every run trains."""
    return "ok"


def mixed(cell: Cell) -> str:
    """Zeros stall, sigmoid units with small weights diverge, the others train."""
    if cell.init.name == "zeros":
        return "stalled"
    return "diverged" if (cell.init.name, cell.activation.name) == ("small_normal", "sigmoid") else "ok"


def diverged(cell: Cell) -> str:
    """No run trains."""
    return "diverged"


def made_up(cell: Cell, status: str) -> Record:
    """A record with random figures, of the form that training leaves."""
    rng = np.random.default_rng(int.from_bytes(cell.key.encode()[-4:]))
    runs, curves, layers = [], [], []
    for (seed, rate), final in zip(cell.runs, rng.uniform(0.82, 0.99, len(cell.runs)), strict=True):
        best = {"ok": final, "stalled": 0.1, "diverged": 0.0}[status]
        accuracy = np.linspace(0.1, best, len(STEPS))
        loss = np.geomspace(2.3, 2.3 * (1.001 - best), len(STEPS))
        if status == "diverged":
            loss[2:] = np.nan
        runs.append(
            {
                "seed": seed, "learning_rate": rate, "selected": rate == 0.1, "status": status, "reason": "",
                "status_step": 14 if status == "diverged" else None, "test_loss": 1.0, "test_accuracy": 0.99 * best,
                "train_loss": loss[-1], "train_accuracy": best, "validation_loss": 1.0, "validation_accuracy": best,
            }
        )  # fmt: skip
        place = {"seed": seed, "learning_rate": rate}
        for index, step in enumerate(STEPS):
            lost, probed = status == "diverged" and index >= 2, step in PROBED
            curves.append(
                {
                    **place, "step": step, "epoch": step / 36, "probed": probed,
                    "train_loss": loss[index] if probed else np.nan,
                    "train_accuracy": accuracy[index] if probed else np.nan,
                    "validation_loss": loss[index], "validation_accuracy": accuracy[index],
                }
            )  # fmt: skip
            for layer in range(1, DEPTH + 1 if probed else 1):
                row = dict.fromkeys(health.COLUMNS, np.nan if lost else rng.uniform(0.05, 0.5))
                layers.append({**place, "step": step, "epoch": step / 36, "layer": layer, **row})
    content = {
        "runs": runs, "selected_learning_rate": 0.1, "selected_edge": "high",
        "times": {"train_seconds": 1.0, "measure_seconds": 0.1},
        "network": {"features": 64, "classes": 10, "units": 64, "parameters": 1, "steps_per_epoch": 36},
    }  # fmt: skip
    columns = [{name: table[name].to_numpy() for name in table} for table in map(pd.DataFrame, (curves, layers))]
    return Record(content, *columns)


@dataclasses.dataclass(frozen=True)
class Made:
    """An experiment on disk."""

    settings: Config
    plan: Plan
    folder: Path

    def figure(self, name: str, out: str = "figures") -> dict[str, Any]:
        """Make a figure and return its words."""
        folders = (self.folder / part for part in ("tables", "data", out))
        figures.make(name, self.settings, self.plan, *folders)
        words: dict[str, Any] = json.loads((self.folder / out / f"{name}.json").read_text())
        return words

    def data(self, name: str) -> pd.DataFrame:
        """The CSV behind a figure that was made."""
        return pd.read_csv(self.folder / "figures" / f"{name}.csv")

    def svg(self, name: str) -> str:
        return (self.folder / "figures" / f"{name}.svg").read_text()

    @property
    def loaded(self) -> Experiment:
        return experiment.load(self.settings, self.plan, self.folder / "tables", self.folder / "data")


def write(folder: Path, values: dict[str, Any], status: Callable[[Cell], str]) -> Made:
    """Made-up records of a configuration, collected as the workflow collects real ones."""
    settings = config.read(values)
    planned = plan.make_plan(settings)
    records = {key: made_up(cell, status(cell)) for key, cell in plan.included(planned).items()}
    for key in records:
        (folder / "cells" / key).mkdir(parents=True)
        (folder / "cells" / key / "record.json").touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(record, "read", lambda path: records[path.name])
        collected = tables.collect(planned, folder / "cells", settings.targets)
    tables.write(collected, folder / "tables")
    for file in figures.data_files("preprocessing_images", settings, planned):
        path = folder / "data" / file
        if path.name == "dataset.json":
            datasets.prepare(settings.base.dataset, path.parent, None, folder)
        elif path.name == "preprocessing.json":
            slug = path.parent.name
            used = (entry.cell.preprocessing for entry in planned.values())
            chosen = next(one for one in used if one.slug == slug)
            prepared.prepare(chosen, path.parent.parent, path.parent)
    return Made(settings, planned, folder)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    one = write(tmp_path_factory.mktemp("mixed"), GRID, mixed)
    for name in figures.FIGURES:
        one.figure(name)
    return one


@pytest.mark.parametrize("name", figures.FIGURES)
def test_a_figure_is_four_files_with_its_words(made: Made, name: str) -> None:
    words = json.loads((made.folder / "figures" / f"{name}.json").read_text())
    assert words["name"] == name
    assert words["title"] == figures.FIGURES[name].title
    assert re.search(r"n = [35]\b", words["caption"])
    assert words["alt"]
    assert not re.search(r"\bnan\b|None|undefined|\{\{|\binf\b", words["caption"] + words["alt"])
    assert (made.folder / "figures" / f"{name}.pdf").read_bytes().startswith(b"%PDF")
    assert len(made.data(name))


@pytest.mark.parametrize("name", figures.FIGURES)
def test_svg_is_selectable_text_with_identifiers_of_its_own(made: Made, name: str) -> None:
    svg = made.svg(name)
    identifiers = re.findall(r'\bid="([^"]+)"', svg)
    assert identifiers
    assert all(one.startswith(f"{name}-") for one in identifiers)
    assert set(re.findall(r"url\(#([^)]+)\)|href=\"#([^\"]+)\"", svg)) <= {
        pair for one in identifiers for pair in ((one, ""), ("", one))
    }
    assert "sans-serif" in svg
    assert "<text" in svg
    sizes = [float(size) for size in re.findall(r"font(?:-size)?: (?:\w+ )*([\d.]+)px", svg)]
    assert sizes
    assert min(sizes) >= 5.9  # an exponent's; all else has 8.5


def test_bytes_do_not_depend_on_what_was_drawn_before(made: Made) -> None:
    for name in reversed(figures.FIGURES):
        made.figure(name, "again")
    for first in sorted((made.folder / "figures").iterdir()):
        assert first.read_bytes() == (made.folder / "again" / first.name).read_bytes(), first.name


def test_names_are_known_without_heavy_imports() -> None:
    code = "import sys; from trainability import figures; print(len(figures.FIGURES), *sys.modules)"
    count, *modules = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert int(count) == len(figures.FIGURES)
    assert not {"matplotlib", "pandas", "seaborn", "torch"} & set(modules)


def test_fingerprint_covers_every_drawing_module() -> None:
    folder = Path(figures.__file__).parent
    parts = {f"figures.{path.stem}" for path in folder.glob("*.py")} - {"figures.__init__"}
    assert parts <= provenance.dependencies("figures")


def test_pyplot_holds_no_figure(made: Made) -> None:
    import matplotlib.pyplot as plt

    made.figure("convergence")
    assert plt.get_fignums() == []


# The numbers


def runs_at(made: Made, **labels: Any) -> pd.DataFrame:
    """Runs at the selected rate of one cell at the base."""
    base = {"preprocessing": "standardize", "init": "kaiming_normal", "normalization": "none", "depth": DEPTH} | labels
    runs = pd.read_parquet(made.folder / "tables" / "runs.parquet")
    for column, value in base.items():
        runs = runs[runs[column] == value]
    return runs


def test_convergence_is_the_share_of_runs_that_arrived(made: Made) -> None:
    data = made.data("convergence")
    for activation, target in itertools.product(("sigmoid", "relu"), (0.5, 0.8, 0.9)):
        runs = runs_at(made, activation=activation)
        steps = runs.loc[runs["selected"], f"steps_to_{target:g}"]
        rows = data[(data["activation"] == activation) & (data["normalization"] == "none") & (data["target"] == target)]
        assert rows["step"].tolist() == STEPS
        assert rows["fraction"].tolist() == [float((steps <= step).mean()) for step in STEPS]


def test_dot_plots_show_the_table_of_cells(made: Made) -> None:
    cells = pd.read_parquet(made.folder / "tables" / "cells.parquet").set_index("cell")
    for name, column, some in (
        ("final_accuracy", "test_accuracy", None),
        ("dead_units", "born_dead_fraction", ("moment", "at initialisation")),
        ("dead_units", "dead_fraction", ("moment", "after training")),
        ("dead_threshold", "dead_fraction_loose", ("threshold", 0.01)),
        ("steps_to_target", "median_steps_to_0.8", ("target", 0.8)),
        ("accuracy_by_init", "test_accuracy", None),
        ("steps_by_init", "median_steps_to_0.8", None),
        ("dead_by_init", "dead_fraction", None),
    ):
        data = made.data(name)
        if some is not None:
            data = data[data[some[0]] == some[1]]
        if "included" in data:
            data = data[data["included"]]
        assert len(data) >= 4
        expected = cells.loc[data["cell"], [column, f"{column}_low", f"{column}_high"]]
        np.testing.assert_allclose(data[["value", "low", "high"]], expected)


def test_curves_are_means_over_seeds_with_their_range(made: Made) -> None:
    curves = pd.read_parquet(made.folder / "tables" / "curves.parquet")
    key = runs_at(made, activation="relu")["cell"].iloc[0]
    some = curves[(curves["cell"] == key) & curves["selected"] & (curves["step"] == 72)]["train_loss"]
    data = made.data("learning_curves")
    row = data[(data["cell"] == key) & (data["quantity"] == "train_loss") & (data["epoch"] == 2)].iloc[0]
    assert (row["mean"], row["low"], row["high"]) == pytest.approx((some.mean(), some.min(), some.max()))


def test_all_rates_are_shown_and_a_diverged_run_counts_zero(made: Made) -> None:
    data = made.data("learning_rate")
    runs = runs_at(made, activation="relu")
    rows = data[(data["cell"] == runs["cell"].iloc[0]) & (data["quantity"] == "validation_accuracy")]
    assert rows["learning_rate"].tolist() == [0.01, 0.1]
    means = [runs.loc[runs["learning_rate"] == rate, "validation_accuracy"].mean() for rate in (0.01, 0.1)]
    assert rows["value"].tolist() == pytest.approx(means)
    part = made.loaded.at_base("activation", "normalization")
    one = part.tables["runs"].assign(status="diverged")
    table = rates.table(dataclasses.replace(part, tables=part.tables | {"runs": one}))
    assert (table.loc[table["quantity"] == "validation_accuracy", "value"] == 0).all()
    assert (table["diverged"] == table["runs"]).all()


def test_layers_and_signals_are_medians_over_seeds(made: Made) -> None:
    layers = pd.read_parquet(made.folder / "tables" / "layers.parquet")
    key = runs_at(made, activation="relu")["cell"].iloc[0]
    start = layers[(layers["cell"] == key) & (layers["step"] == 0)].set_index(["layer", "seed"])
    data = made.data("layer_health")
    row = data[(data["cell"] == key) & (data["moment"] == "start") & (data["layer"] == 2)].set_index("quantity")
    ratio = start.loc[2, "gradient_std"] / start.loc[DEPTH, "gradient_std"]
    assert row.loc["relative_gradient_std", "value"] == pytest.approx(ratio.median())
    assert row.loc["activation_std", "value"] == pytest.approx(start.loc[2, "activation_std"].median())
    first = made.data("initial_signal")
    first = first[(first["cell"] == key) & (first["quantity"] == "gradient_ratio")].iloc[0]
    norms = start["gradient_norm"]
    assert first["value"] == pytest.approx((norms[1] / norms[DEPTH]).median())


def test_depths_are_those_trained_several_times_over(made: Made) -> None:
    data = made.data("depth")
    assert set(zip(data["init"], data["depth"], strict=True)) == {
        (init, depth) for init in ("small_normal", "kaiming_normal") for depth in (2, DEPTH, 6)
    }  # zeros and sigmoid have one depth
    cells = pd.read_parquet(made.folder / "tables" / "cells.parquet").set_index("cell")
    for row in data.itertuples():
        shown = [row.value, row.low, row.high]
        assert shown == pytest.approx([cells.loc[row.cell, f"{row.quantity}{end}"] for end in ("", "_low", "_high")])


def test_batch_normalization_is_shown_beside_its_absence(made: Made) -> None:
    data = made.data("batchnorm")
    assert set(data["normalization"]) == {"none", "batchnorm"}
    assert data.groupby("quantity").size().to_dict() == dict.fromkeys(
        ("steps", "test_accuracy", "dead_fraction", "largest_rate"), 4
    )
    runs = pd.read_parquet(made.folder / "tables" / "runs.parquet")
    for row in data[data["quantity"] == "largest_rate"].itertuples():
        of_cell = runs[(runs["cell"] == row.cell) & (runs["status"] == "ok")]
        assert row.value == of_cell.groupby("seed")["learning_rate"].max().median()
    accuracy = data[data["quantity"] == "test_accuracy"].iloc[0]
    cells = pd.read_parquet(made.folder / "tables" / "cells.parquet").set_index("cell")
    assert accuracy["value"] == pytest.approx(cells.loc[accuracy["cell"], "test_accuracy"])


def test_nothing_beside_batch_normalization_or_of_one_depth_is_a_sentence(tmp_path: Path) -> None:
    grid = {"activation": ["relu", "elu"]}
    one = write(tmp_path, GRID | {"studies": {"alone": {"question": "q", "grid": grid}}}, ok)
    assert "no activation is trained with batch normalization" in one.figure("batchnorm")["caption"]
    assert "no activation and initialisation is trained in several depths" in one.figure("depth")["caption"]


def test_the_largest_rate_is_that_at_which_a_run_is_ok() -> None:
    runs = pd.DataFrame(
        [("a", 0, 0.1, "ok"), ("a", 0, 1.0, "diverged"), ("a", 1, 0.1, "stalled"), ("a", 1, 1.0, "diverged")],
        columns=["cell", "seed", "learning_rate", "status"],
    )
    assert tables.largest_rates(runs).to_dict() == {("a", 0): 0.1, ("a", 1): 0.0}


def test_preprocessing_stands_in_the_configurations_order_with_its_condition(made: Made) -> None:
    data = made.data("preprocessing_effect")
    assert made.loaded.at_base("preprocessing").order("preprocessing") == ["raw", "standardize", "pca"]
    content = json.loads((made.folder / "data/digits/pca/preprocessing.json").read_text())
    found = data.loc[data["preprocessing"] == "pca", "condition_number"].unique()
    assert found == pytest.approx([content["statistics"]["after"]["condition_number"]])
    assert set(data["normalization"]) == {"none"}  # batch normalization is trained with one preprocessing only


def test_projected_images_are_mapped_back_to_pixels(made: Made) -> None:
    loaded = made.loaded
    _, splits = datasets.load(made.folder / "data/digits")
    original = splits.test_images[:4].reshape(4, -1).astype(float)
    back, mapped = inputs.seen(made.folder / "data/digits/pca", np.arange(4))
    assert mapped
    assert np.corrcoef(back.ravel(), original.ravel())[0, 1] > 0.9  # 95 % of the variance is kept
    same, mapped = inputs.seen(made.folder / "data/digits/raw", np.arange(4))
    assert not mapped
    np.testing.assert_array_equal(same, original)
    assert set(inputs.folders(loaded, loaded.at_base("preprocessing"))) == {"raw", "standardize", "pca"}


# Marks


def test_heat_maps_mark_what_diverged_stalled_or_was_left_out(made: Made) -> None:
    svg = made.svg("accuracy_by_init")
    data = made.data("accuracy_by_init")
    assert data["status"].value_counts().to_dict() == {"ok": 6, "stalled": 3, "diverged": 2}
    assert data.loc[~data["included"], ["activation", "init", "normalization", "reason"]].to_numpy().tolist() == [
        ["relu", "zeros", "batchnorm", "by_init: r"]
    ]
    assert svg.count(canvas.SIGNS["diverged"]) >= 2
    assert svg.count(canvas.SIGNS["stalled"]) >= 3
    assert "<pattern" in svg  # the hatching
    for words in ("some runs diverged", "some runs stalled", "excluded by the plan"):
        assert words in svg


def test_a_lost_mean_is_not_the_survivors(made: Made) -> None:
    runs = pd.DataFrame({"cell": "c", "seed": [0, 1, 0, 1], "epoch": [0.0, 0.0, 1.0, 1.0], "loss": [1, 3, 2, np.inf]})
    data = lines.summary(runs, [], ["loss"])
    assert data["mean"].tolist() == pytest.approx([2.0, np.nan], nan_ok=True)
    assert data["finite_runs"].tolist() == [2, 1]


def test_never_has_a_place_of_its_own() -> None:
    places = scales.placed(pd.Series([0.0, 10.0, np.inf]), budget=100)
    assert places.tolist() == [1.0, 10.0, 200.0]


@pytest.mark.parametrize(
    ("value", "written"),
    [(0, "0"), (0.996, "1.0"), (0.99, "0.99"), (3.91, "3.9"), (12.4, "12"), (9999, "9999"), (2.2e7, "2e7"),
     (2e-5, "2e-5"), (9.7e-4, "1e-3")],
)  # fmt: skip
def test_short_numbers_fit_a_cell(value: float, written: str) -> None:
    assert signal.short(value) == written


@pytest.mark.parametrize("first", [1.0, 5.0, 60.0])
def test_step_ticks_are_round_and_inside(first: float) -> None:
    places = scales.round_steps(first, 700)
    assert len(places) >= 2
    assert all(first <= place <= 700 for place in places)


def test_ten_lines_are_told_apart_without_colour() -> None:
    marks = canvas.marks([str(i) for i in range(10)])
    assert len({mark.color for mark in marks.values()}) == 10
    assert len({mark.marker for mark in marks.values()}) == 10


def test_more_lines_than_colours_have_marks_of_their_own() -> None:
    marks = canvas.marks([str(i) for i in range(40)])
    assert len({(mark.color, mark.marker) for mark in marks.values()}) == 40
    assert list(marks.values())[:10] == list(canvas.marks([str(i) for i in range(10)]).values())


def test_text_on_every_colour_has_contrast() -> None:
    import matplotlib

    for palette in ("cividis", "cividis_r", "PuOr"):
        colours = matplotlib.colormaps[palette]
        for value in np.linspace(0, 1, 21):
            channels = np.asarray(colours(value)[:3])
            linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
            luminance = float(linear @ [0.2126, 0.7152, 0.0722])
            ink = heatmaps._legible(colours, value)
            contrast = (luminance + 0.05) / 0.05 if ink == "black" else 1.05 / (luminance + 0.05)
            assert contrast >= 4.5


# Degenerate experiments


def smaller(**studies: Any) -> dict[str, Any]:
    return GRID | {"studies": {name: {"question": "q", "grid": grid} for name, grid in studies.items()}}


def test_one_activation_of_which_no_run_trains(tmp_path: Path) -> None:
    one = write(tmp_path, smaller(only={"activation": ["relu"]}), diverged)
    others = {
        "preprocessing_images": "one preprocessing",
        "batchnorm": "no activation is trained with batch",
        "depth": "trained in several depths",
    }
    for name in figures.FIGURES:
        words = one.figure(name)
        expected = others.get(name, "one activation")
        assert expected in words["note"]
        assert expected in words["caption"]
        assert expected in " ".join(re.findall(r">([^<]+)</text>", one.svg(name)))


def test_both_ways_and_all_depths_without_a_run_that_trains(tmp_path: Path) -> None:
    grid = {"normalization": ["none", "batchnorm"], "depth": [2, DEPTH]}
    one = write(tmp_path, smaller(only=grid), diverged)
    for name in ("batchnorm", "depth"):
        one.figure(name)
    rates = one.data("batchnorm").set_index("quantity").loc["largest_rate", "value"]
    assert rates.tolist() == [0.0, 0.0]
    assert "none" in re.findall(r">([^<]+)</text>", one.svg("batchnorm"))
    assert len(one.data("depth")) == 4


def test_an_empty_slice_is_a_sentence(tmp_path: Path) -> None:
    grid = {"activation": ["relu"], "depth": [2], "init": ["zeros"]}
    one = write(tmp_path, smaller(elsewhere=grid), ok)
    for name in figures.FIGURES:
        words = one.figure(name)
        assert words["caption"].startswith("Nothing to show")
        assert "Nothing to show" in one.svg(name)
        assert one.data(name)["note"].tolist() == [words["caption"]]


def test_examples_that_are_no_images_are_not_drawn(tmp_path: Path) -> None:
    values = smaller(only={"preprocessing": ["raw", "standardize"]})
    values["base"] = GRID["base"] | {"dataset": "gaussians"}
    one = write(tmp_path, values, ok)
    assert figures.data_files("preprocessing_images", one.settings, one.plan) == []
    assert len(figures.data_files("preprocessing_effect", one.settings, one.plan)) == 2
    words = one.figure("preprocessing_images")
    assert words["caption"] == "Nothing to show: the examples of gaussians are no images."


def test_colour_images_are_drawn_in_colour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def noise(count: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(0)
        return rng.integers(0, 256, (count, 4, 4, 3), np.uint8), (np.arange(count) % 10).astype(np.uint8)

    monkeypatch.setattr(datasets.Cifar10, "image_shape", (4, 4, 3))
    monkeypatch.setattr(datasets.Cifar10, "source", Generated("noise", 60, 20, None, noise))
    values = smaller(only={"preprocessing": ["raw", "channel_standardize", "pca", {"name": "contrast", "zca": 0.1}]})
    values["base"] = GRID["base"] | {"dataset": {"name": "cifar10", "validation_examples": 20}}
    one = write(tmp_path, values, ok)
    words = one.figure("preprocessing_images")
    assert "* pca: the values live in the space of principal components" in words["caption"]
    data = one.data("preprocessing_images")
    assert data.groupby(["preprocessing", "example"])["pixel"].nunique().unique().tolist() == [48]
    colours = set()
    for encoded in re.findall(r"data:image/png;base64,([^\"]+)", one.svg("preprocessing_images")):
        pixels = plt_image.imread(io.BytesIO(base64.b64decode(encoded)))
        colours.add(bool(np.ptp(pixels[..., :3], axis=2).max() > 0.1))
    assert colours == {True}


def test_more_activations_than_marks_are_cut_to_ten(tmp_path: Path) -> None:
    activations = [{"name": "elu", "alpha": i / 10} for i in range(1, 14)]
    one = write(tmp_path, smaller(many={"activation": activations}), ok)
    words = one.figure("convergence")
    assert "first 10 of 13" in words["note"]
    assert one.data("convergence")["activation"].nunique() == 10


def test_foreign_names_are_short_in_figures_where_that_tells_them_apart() -> None:
    labels = ["relu", "lab.acts:Bend", "lab.acts:Bend(a=2)", "lab.acts:Snake", "other:Snake", "lab.acts:relu"]
    planned = pd.DataFrame({factor: ["same"] * len(labels) for factor in FACTORS} | {"activation": labels, "depth": 5})
    assert short_names(planned) == {"activation": {"lab.acts:Bend": "Bend", "lab.acts:Bend(a=2)": "Bend(a=2)"}}


def test_one_target_and_one_seed(tmp_path: Path) -> None:
    values = GRID | {"targets": [0.8], "seeds": 1, "learning_rates": [0.1]}
    one = write(tmp_path, values, mixed)
    for name in ("convergence", "learning_curves", "learning_rate", "steps_by_init"):
        one.figure(name)
    assert "n = 1 seed " in one.figure("steps_to_target")["caption"]


def test_sizing_does_not_hide_units_of_one_piece(tmp_path: Path) -> None:
    values = smaller(only={"activation": ["relu", "maxout"]})
    values["base"] = GRID["base"] | {"sizing": "parameters"}
    one = write(tmp_path, values, ok)
    assert one.loaded.at_base("activation").order("activation") == ["relu", "maxout"]


def test_units_of_two_outputs_are_shown_once_at_the_bases_sizing(tmp_path: Path) -> None:
    one = write(tmp_path, smaller(many={"activation": ["relu", "crelu"], "sizing": ["width", "flops"]}), ok)
    rows = one.loaded.at_base("activation").planned
    assert rows.loc[rows["included"], ["activation", "sizing"]].to_numpy().tolist() == [
        ["relu", "width"],
        ["crelu", "width"],
    ]


# Words


def test_a_template_that_names_an_unknown_fact_is_an_error(made: Made) -> None:
    templates = {"convergence": {"alt": "a", "caption": "{{ no_such_fact }}"}}
    drawing = canvas.sentence("x")._replace(facts={})
    with pytest.raises(jinja2.UndefinedError, match="no_such_fact"):
        text.describe(templates, "convergence", "t", made.loaded, drawing)


def test_every_figure_has_a_template_and_none_is_left_over() -> None:
    assert set(text.load(figures.CAPTIONS)) == set(figures.FIGURES)


def test_svg_style_reaches_its_own_figure_only() -> None:
    with canvas.style("mine"):
        svg = output.svg(canvas.sentence("words").figure, "mine").decode()
    assert 'id="mine-sheet"' in svg
    assert "#mine-sheet *{" in svg


def test_median_share_agrees_with_convergence() -> None:
    steps = np.array([4.0, 8.0, np.inf])
    assert convergence.fraction_at_target(steps, np.array([3.0, 4.0, 100.0])).tolist() == [0, 1 / 3, 2 / 3]
