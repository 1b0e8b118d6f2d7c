"""Schemes in which the weights of a layer depend on each other, or on examples."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from trainability import seeding
from trainability.initializers.base import INITIALIZERS, Array, Initializer, Positive

if TYPE_CHECKING:
    from torch import Tensor

ASYMMETRIC = 0.6007  # standard deviation of rai's normal numbers, times sqrt(fan_in)


@INITIALIZERS.register
class Orthogonal(Initializer):
    """A random orthogonal matrix times `gain`: W^T W = gain^2 I, or W W^T if units outnumber inputs (Saxe et al. 2014).

    Q of the noise's QR decomposition, with the signs of R's diagonal, which makes it uniform among all orthogonal
    matrices (Mezzadri 2007, section 5).
    """

    formula = r"W^{\mathrm{T}} W = \mathrm{gain}^2 \, I"
    reference = "Saxe, McClelland & Ganguli 2014, arXiv 1312.6120; Mezzadri 2007, section 5, arXiv math-ph/0609050"

    name: Literal["orthogonal"] = "orthogonal"
    gain: Positive = 1.0

    def draw(self, noise: Array, fan_out: int, negative_slope: float = 0.0) -> Array:
        return self.gain * _orthogonal(noise)


@INITIALIZERS.register
class Lsuv(Initializer):
    """Layer-sequential unit-variance: orthonormal weights, rescaled until each layer's linear outputs have variance 1.

    Layer by layer from the input, on training examples, until the variance is within `tolerance` of 1 or after
    `iterations` rescalings (Mishkin & Matas 2016, algorithm 1, with its tolerance). See `calibration.rescale`.
    """

    formula: ClassVar[str] = (
        r"W \leftarrow W / \sqrt{\mathrm{Var}(x W)}, \;\;"
        r" W^T W = I \; \mathrm{at \; first}"
    )
    reference: ClassVar[str] = "Mishkin & Matas 2016, All You Need Is a Good Init, algorithm 1"

    name: Literal["lsuv"] = "lsuv"
    tolerance: Positive = 0.1
    iterations: Annotated[int, Field(ge=1)] = 10

    @property
    def calibrated(self) -> bool:
        return True

    def calibrate(self, weight: Tensor, outputs: Callable[[], Tensor]) -> None:
        from trainability.calibration import rescale  # here, since it needs torch, which the Snakefile does not

        rescale(weight, outputs, self.tolerance, self.iterations)

    def draw(self, noise: Array, fan_out: int, negative_slope: float = 0.0) -> Array:
        return _orthogonal(noise)


def _orthogonal(noise: Array) -> Array:
    if noise.shape[0] < noise.shape[1]:
        return _orthogonal(noise.T).T
    q, r = np.linalg.qr(noise)
    return np.asarray(q * np.copysign(1.0, np.diag(r)))


@INITIALIZERS.register
class Sparse(Initializer):
    """Each unit has `connections` non-zero incoming weights, N(0, std^2), at random inputs (Martens 2010, section 5).

    The unit Gaussian is that of Sutskever et al. 2013, section 3.1; torch.nn.init.sparse_ has std 0.01 and a share of
    zeros instead of a number of connections. A layer with fewer inputs is dense. The weights that are not zero are
    the noise itself, and where they stand follows from the ranks of the noise's digits beyond the sixth, which do not
    depend on its size.
    """

    formula = (
        r"W_{ij} \sim \mathcal{N}(0, \mathrm{std}^2) \; \mathrm{for} \; i \in S_j, \quad "
        r"W_{ij} = 0 \; \mathrm{otherwise}, \quad \vert S_j \vert = \mathrm{connections}"
    )
    reference = (
        'Martens 2010, "Deep learning via Hessian-free optimization", section 5; '
        'Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning", section 3.1'
    )

    name: Literal["sparse"] = "sparse"
    connections: Annotated[int, Field(ge=1)] = 15
    std: Positive = 1.0

    def draw(self, noise: Array, fan_out: int, negative_slope: float = 0.0) -> Array:
        digits = np.mod(noise * 2.0**20, 1.0)
        chosen = np.argsort(digits, axis=0, kind="stable")[: self.connections]
        weights = np.zeros_like(noise)
        np.put_along_axis(weights, chosen, self.std * np.take_along_axis(noise, chosen, axis=0), axis=0)
        return weights


@INITIALIZERS.register
class RandomizedAsymmetric(Initializer):
    """One entry of each unit's (weights, bias) is drawn from Beta(2, 1), all others from N(0, 0.6007^2 / fan_in).

    Which of the fan_in + 1 it is, is equally likely. That entry is positive, and so are a ReLU's inputs: fewer units
    are born dead (Lu et al. 2020, section 4). With the constant, the positive root of s^2 + 4 sqrt(2) s / (3 sqrt(pi))
    = 1, signals keep their size at the most. The factor `bias` is added to the biases; a layer without biases, before
    a normalization, has only the weights.
    """

    formula: ClassVar[str] = (
        r"(w, b)_j \sim N(0, \, 0.6007^2 / n_{in}), \quad "
        r"(w, b)_k \sim \mathrm{Beta}(2, 1), \quad "
        r"\mathrm{one \; random} \; k \leq n_{in} + 1"
    )
    reference: ClassVar[str] = "Lu, Shin, Su & Karniadakis 2020, Dying ReLU and Initialization, section 4"

    name: Literal["rai"] = "rai"

    def draw(self, noise: Array, fan_out: int, negative_slope: float = 0.0) -> Array:
        return self._entries(noise)[:-1]

    def bias(self, noise: Array, start: float) -> Array:
        return self._entries(noise)[-1] + start

    def _entries(self, noise: Array) -> Array:
        """Weights and, last, bias of every unit [fan_in + 1, units].

        What the weights' noise does not hold comes from a generator that follows from it. It is rounded for that, since
        the last bit of a draw may be another one on another machine.
        """
        inputs, count = noise.shape
        digest = hashlib.sha256(noise.round(6).tobytes()).hexdigest()
        rng = seeding.generator(0, "asymmetric", digest)
        entries = np.concatenate([noise, rng.standard_normal((1, count))]) * (ASYMMETRIC / math.sqrt(inputs))
        chosen = rng.integers(inputs + 1, size=(1, count))
        np.put_along_axis(entries, chosen, np.sqrt(rng.random((1, count))), axis=0)  # F(x) = x^2 of Beta(2, 1)
        return entries
