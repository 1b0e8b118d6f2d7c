"""What an initialiser is, the family of those that are a variance and a shape, and the registry of all."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from trainability.registry import Component, Registry

if TYPE_CHECKING:
    from torch import Tensor

Array = NDArray[np.float64]
Positive = Annotated[float, Field(gt=0)]


class Initializer(Component):
    """How the weights of one layer start.

    `draw` turns noise [fan_in, units] into the weights of one linear map [fan_in, units]; a layer of maxout units with
    k pieces is k maps. `fan_out` is the number of outputs that an input feeds: `units`, in a convolution times the
    size of a window. `negative_slope` is the slope of the layer's activation below zero; only Kaiming's gain depends on
    it.
    """

    def draw(self, noise: Array, fan_out: int, negative_slope: float = 0.0) -> Array:
        """Return the initial weights, float64, shaped as `noise`."""
        raise NotImplementedError

    def bias(self, noise: Array, start: float) -> Array:
        """Initial biases [units] of the layer whose weights come from the same noise: `start`, the factor `bias`."""
        return np.full(noise.shape[1], start)

    @property
    def calibrated(self) -> bool:
        """Whether `calibrate` is to be called, layer by layer, before training."""
        return False

    def calibrate(self, weight: Tensor, outputs: Callable[[], Tensor]) -> None:
        """Change a layer's drawn weights [R, fan_in, m] in place, given its linear outputs [R, N, m] under them.

        The outputs are those on training examples; the layers below are calibrated already.
        """
        raise NotImplementedError


class Scaled(Initializer):
    """A scheme that is fully described by a variance and a shape, normal or uniform.

    The normal form is N(0, Var), the uniform form U(-a, a) with a = sqrt(3 Var), which has the same variance.
    """

    def variance(self, fan_in: int, fan_out: int, negative_slope: float = 0.0) -> float:
        """Variance of one weight."""
        raise NotImplementedError

    def draw(self, noise: Array, fan_out: int, negative_slope: float = 0.0) -> Array:
        deviation = math.sqrt(self.variance(noise.shape[0], fan_out, negative_slope))
        if self.name.endswith("_normal"):
            return deviation * noise
        return math.sqrt(3.0) * deviation * uniform(noise)


def uniform(noise: Array) -> Array:
    """Standard normal noise as U(-1, 1): 2 Phi(noise) - 1 = erf(noise / sqrt 2)."""
    from scipy.special import erf  # here, since the Snakefile reads this module at every start

    return np.asarray(erf(noise / math.sqrt(2.0)))


INITIALIZERS: Registry[Initializer] = Registry("initialiser", Initializer, required=("draw",))
