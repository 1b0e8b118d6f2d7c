"""The blueprint of a network: the shape of every layer, and what follows from it: parameters, operations, units.

Pure arithmetic over a cell; `network` builds what is drawn here. A layer sees an image of height x width x channels;
the input of a fully connected layer is an image of one position.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from trainability.cell import Cell

Pooling = Literal["none", "max", "mean"]


@dataclass(frozen=True)
class Grid:
    """What a layer sees of one example: height x width positions of so many numbers each."""

    height: int
    width: int
    channels: int

    @property
    def positions(self) -> int:
        return self.height * self.width

    @property
    def features(self) -> int:
        """All numbers together."""
        return self.positions * self.channels

    def pooled(self) -> Grid:
        """Half the height and width, rounded down: what pooling 2 x 2 leaves."""
        return Grid(self.height // 2, self.width // 2, self.channels)


@dataclass(frozen=True)
class LayerPlan:
    """A hidden layer: `units` units that see a `kernel` x `kernel` window of the input around each position.

    `pooling` 2 x 2 follows the activation. In a residual network the linear maps' outputs of some layers form a stream:
    a layer that `adds` adds the stream so far to its own output, one that `taps` leaves its sum as the stream.
    """

    sees: Grid
    units: int
    kernel: int = 1
    pooling: Pooling = "none"
    taps: bool = False
    adds: bool = False

    @property
    def fan_in(self) -> int:
        """Incoming weights of a unit."""
        return self.kernel**2 * self.sees.channels

    @property
    def positions(self) -> int:
        """Positions of an example at which each unit is computed."""
        return self.sees.positions

    def puts_out(self, outputs: int) -> Grid:
        """What the next layer sees, where a unit passes `outputs` numbers on."""
        grid = Grid(self.sees.height, self.sees.width, outputs * self.units)
        return grid if self.pooling == "none" else grid.pooled()


@dataclass(frozen=True)
class Blueprint:
    """A whole network: hidden layers, then one linear map from the last one's numbers to the classes.

    `mean_head`: the mean over all positions goes there, instead of all of them. `pieces` linear maps belong to a unit,
    `learned` are an activation's learned numbers a layer, `normalized` the learned numbers of the normalization for
    each number it normalizes; `before` says that these are the pieces, not the outputs; `biased` whether hidden layers
    have biases.
    """

    width: int
    layers: tuple[LayerPlan, ...]
    classes: int
    mean_head: bool
    pieces: int
    outputs: int
    learned: int
    normalized: int
    before: bool
    biased: bool

    @property
    def convolutional(self) -> bool:
        """Whether units see windows of an image."""
        return any(layer.kernel > 1 for layer in self.layers)

    @property
    def head(self) -> Grid:
        """What the last hidden layer puts out."""
        return self.layers[-1].puts_out(self.outputs)

    @property
    def head_features(self) -> int:
        """Inputs of the output layer."""
        return self.head.channels if self.mean_head else self.head.features

    @property
    def parameters(self) -> int:
        """Learned numbers of one run."""
        hidden = 0
        for layer in self.layers:
            columns = self.pieces * layer.units
            hidden += (layer.fan_in + self.biased) * columns + self.learned
            hidden += self.normalized * (columns if self.before else self.outputs * layer.units)
        return hidden + (self.head_features + 1) * self.classes

    @property
    def flops_per_example(self) -> int:
        """Floating-point operations of the matrix products for one example in one run, forward pass."""
        products = sum(layer.positions * layer.fan_in * self.pieces * layer.units for layer in self.layers)
        return 2 * (products + self.head_features * self.classes)

    @property
    def activations(self) -> int:
        """Numbers that one example leaves for the backward pass: inputs, pre-activations, activations, gradients."""
        inputs = self.layers[0].sees.features
        return inputs + sum(layer.positions * layer.units * (2 * self.pieces + self.outputs) for layer in self.layers)


def draw(cell: Cell, features: int, classes: int) -> Blueprint:
    """The network of a cell on inputs of so many features.

    With `sizing: width` its layers have the width that the cell names. With `parameters` or `flops` that is the width
    of a network of plain units (one piece, one output), and this one is as wide as it can be without having more
    parameters or operations than that.
    """
    if cell.sizing == "width":
        return _draw(cell, features, classes, cell.width)
    most = getattr(_draw(cell, features, classes, cell.width, plain=True), _COSTS[cell.sizing])
    step = cell.normalization.divisor
    for width in range(cell.width, 0, -1):
        if width % step == 0:
            found = _draw(cell, features, classes, width)
            if getattr(found, _COSTS[cell.sizing]) <= most:
                return found
    return _draw(cell, features, classes, step)


_COSTS = {"parameters": "parameters", "flops": "flops_per_example"}


def _draw(cell: Cell, features: int, classes: int, width: int, plain: bool = False) -> Blueprint:
    activation, normalization = cell.activation, cell.normalization
    outputs = 1 if plain else activation.outputs
    image = grid(cell.dataset.image_shape) if cell.architecture.needs_image else Grid(1, 1, features)
    if image.features != features:
        raise ValueError(f"{cell.architecture.label} needs images of {image.features} numbers, not {features} features")
    return Blueprint(
        width=width,
        layers=tuple(cell.architecture.layers(image, cell.depth, width, outputs)),
        classes=classes,
        mean_head=cell.architecture.mean_head,
        pieces=1 if plain else activation.pieces,
        outputs=outputs,
        learned=len(activation.learned),
        normalized=normalization.learned,
        before=normalization.position == "before",
        biased=not normalization.absorbs_bias,
    )


def grid(image_shape: Sequence[int]) -> Grid:
    """The image as a grid: (height, width) has one channel, (height, width, channels) so many, (features,) no place."""
    if len(image_shape) == 1:
        return Grid(1, 1, image_shape[0])
    height, width, *channels = image_shape
    return Grid(height, width, math.prod(channels))
