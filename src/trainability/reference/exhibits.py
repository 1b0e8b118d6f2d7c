"""What the reference page shows of an entry besides its words: numbers that the code gives, and a chart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from markupsafe import Markup

from trainability import blueprint, charts, health, seeding
from trainability.activations import Activation
from trainability.architectures import Architecture
from trainability.cell import Cell
from trainability.datasets import Dataset, FashionMnist
from trainability.initializers import Initializer
from trainability.rate_schedules import RateSchedule
from trainability.registry import Component

SPAN, POINTS = 5.0, 251  # activations are drawn on [-SPAN, SPAN]
WIDER = {"relu6": 8.0}  # but those on a wider one that turn further out
HELD = {"glu": 1.0}  # where the pieces of a unit stand that do not vary; 0 for all others
FAN_IN, FAN_OUT = 256, 128  # of the layer whose weights are drawn
STEPS = 500  # of the training whose schedule is drawn
DEPTH = 7  # of the networks that are described
BINS = 45  # odd, so that one has zero in its middle; two on each side stay empty


@dataclass(frozen=True)
class Exhibit:
    """Terms with what there is to say of each, and a chart with its caption."""

    facts: tuple[tuple[str, str], ...] = ()
    chart: Markup | None = None
    caption: str = ""


def none(component: Component) -> Exhibit:
    """For components that words and a formula describe."""
    return Exhibit()


def activation(unit: Activation) -> Exhibit:
    """Value and derivative, with learned parameters at their start and random ones at their mean."""
    facts = [
        ("Gain", number(unit.gain)),
        ("Steepest slope", number(unit.steepest)),
        ("Dead", f"slope at most {number(health.DEAD * unit.steepest)} on every probe example"),
        ("Saturated", f"slope below {number(health.SATURATED * unit.steepest)} on an example"),
        *(("Learned", f"{name}, at first {number(start)}") for name, start in unit.learned.items()),
    ]
    caption, span = [], WIDER.get(unit.name, SPAN)
    z = torch.full((1, POINTS, unit.pieces), HELD.get(unit.name, 0.0), dtype=torch.float64)
    z[..., -1] = torch.linspace(-span, span, POINTS, dtype=torch.float64)
    if unit.pieces > 1:
        facts.append(("Linear maps per unit", str(unit.pieces)))
        caption.append(f"The last of {unit.pieces} pieces varies, the others are {HELD.get(unit.name, 0.0):g}.")
    if unit.outputs > 1:
        facts.append(("Outputs per unit", str(unit.outputs)))
        caption.append("The slope is that of the sum of the outputs.")
    arguments = [torch.full((1, 1, 1), start, dtype=torch.float64) for start in unit.learned.values()]
    if unit.random:
        arguments.append(unit.randomize(torch.full((1, 1, 1), 0.5, dtype=torch.float64)))
        caption.append("The random argument is at its mean.")
    values, slopes = unit.value(z, *arguments)[0], unit.derivative(z, *arguments)[0, :, -1:]
    x = z[0, :, -1].numpy()
    curves = [
        charts.Line(f"{name}{_nth(index, columns.shape[1])}(z)", x, columns[:, index].numpy())
        for name, columns in (("f", values), ("f\N{PRIME}", slopes))
        for index in range(columns.shape[1])
    ]
    ranges = ", ".join(f"{c.label} from {number(c.y.min())} to {number(c.y.max())}" for c in curves)
    alt = f"{unit.name} for z from {-span:g} to {span:g}: {ranges}."
    return Exhibit(tuple(facts), charts.lines(curves, "z", alt), " ".join(caption))


def initializer(scheme: Initializer) -> Exhibit:
    """The weights of one layer; of those that are only partly zero the chart shows the rest."""
    noise = seeding.generator(0, "reference").standard_normal((FAN_IN, FAN_OUT))
    weights = scheme.draw(noise, FAN_OUT).ravel()
    zeros = float(np.mean(weights == 0))
    facts = [("Mean", number(weights.mean())), ("Standard deviation", number(weights.std()))]
    caption = [f"{FAN_IN} inputs, {FAN_OUT} units, slope 0"]
    shown = weights
    if 0 < zeros < 1:
        facts.append(("Share of zeros", f"{zeros:.1%}"))
        shown = weights[weights != 0]
        caption.append("weights that are 0 not drawn")
    if scheme.calibrated:
        caption.append("before calibration")
    reach = BINS / (BINS - 4) * float(np.abs(shown).max()) or 1.0
    counts, edges = np.histogram(shown, BINS, (-reach, reach))
    extent = f"{number(shown.min())} to {number(shown.max())}"
    alt = f"Histogram of weights of {scheme.name}, from {extent}, standard deviation {number(weights.std())}."
    chart = charts.histogram(counts / weights.size, edges, "weight", "share of all weights", alt)
    return Exhibit(tuple(facts), chart, "; ".join(caption) + ".")


def schedule(rates: RateSchedule) -> Exhibit:
    """The factor of the learning rate at each step of a training."""
    steps = np.arange(1, STEPS + 1)
    factors = np.array([rates.factor(step, STEPS) for step in steps.tolist()])
    ends = (("First step", number(factors[0])), ("Last step", number(factors[-1])))
    alt = f"{rates.name}: factor of the learning rate from {number(factors[0])} to {number(factors[-1])}."
    return Exhibit(ends, charts.lines([charts.Line("factor", steps.astype(float), factors)], f"step of {STEPS}", alt))


def architecture(shape: Architecture) -> Exhibit:
    """The hidden layers of one network, and what they cost."""
    cell = Cell(dataset=FashionMnist(), architecture=shape, depth=DEPTH, width=16, seeds=(0,), learning_rates=(0.1,))
    plan = blueprint.draw(cell, cell.image.features, cell.dataset.classes)
    layers = [
        f"{p.sees.height}\N{MULTIPLICATION SIGN}{p.sees.width}\N{MULTIPLICATION SIGN}{p.sees.channels} "
        f"\N{RIGHTWARDS ARROW} {p.units}" + (f", {p.pooling} pooling" if p.pooling != "none" else "")
        for p in plan.layers
    ]
    return Exhibit(
        (
            (f"Depth {DEPTH}, width 16 on Fashion-MNIST", "; ".join(layers)),
            ("Parameters", f"{plan.parameters:,}"),
            ("FLOPs per example, forward", f"{plan.flops_per_example:,}"),
        )
    )


def dataset(images: Dataset) -> Exhibit:
    """Sizes, as the default parameters leave them."""
    shape = " \N{MULTIPLICATION SIGN} ".join(map(str, images.image_shape))
    return Exhibit(
        (
            ("Training examples", str(images.train_size)),
            ("Validation examples", str(images.validation_examples)),
            ("Image", f"{shape}, levels 0 to {images.levels}"),
            ("Classes", f"{images.classes}: {', '.join(images.class_names)}"),
        )
    )


def number(value: float) -> str:
    """Four significant digits; what is nothing but rounding is 0."""
    return "0" if abs(value) < 1e-12 else f"{value:.4g}".replace("-", "\N{MINUS SIGN}")


def _nth(index: int, count: int) -> str:
    """A subscript where there are several."""
    return chr(ord("\N{SUBSCRIPT ONE}") + index) if count > 1 else ""
