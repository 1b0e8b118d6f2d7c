"""Weight initialisation schemes: a registry of formulas, each with its source.

Every scheme is a function of one array of standard normal noise, which depends on the seed and the layer alone.
Schemes that differ only in scale therefore start from the same draws, and the uniform form of a scheme is the
same noise carried through the normal distribution function: comparisons between schemes are paired.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from trainability.registry import Component, Registry

Array = NDArray[np.float64]
Positive = Annotated[float, Field(gt=0)]
TRUNCATED = 2.0  # standard deviations at which truncated_normal is cut


class Initializer(Component):
    """How the weights of one layer start.

    `draw` turns noise [fan_in, units] into weights [fan_in, units]. `fan_out` is the number of units that one
    linear map feeds; a layer of maxout units with k pieces is k maps, so that `units` is k x `fan_out`.
    `negative_slope` is the slope of the layer's activation below zero; only Kaiming's gain depends on it.
    """

    def draw(self, noise: Array, fan_out: int, negative_slope: float = 0.0) -> Array:
        """Return the initial weights, float64, shaped as `noise`."""
        raise NotImplementedError

    def bias(self, noise: Array, start: float) -> Array:
        """Initial biases [units] of the layer whose weights come from the same noise: `start`, the factor `bias`."""
        return np.full(noise.shape[1], start)

    @property
    def calibrated(self) -> bool:
        """Whether the drawn weights are then rescaled layer by layer on training examples; see `calibration`."""
        return False


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


@INITIALIZERS.register
class Zeros(Initializer):
    """All weights 0. Nothing breaks the symmetry between units: the lecture's first warning."""

    name: Literal["zeros"] = "zeros"

    def draw(self, noise: Array, fan_out: int, negative_slope: float = 0.0) -> Array:
        return np.zeros_like(noise)


@INITIALIZERS.register
class Ones(Initializer):
    """All weights 1. The units of a layer start equal and stay equal."""

    name: Literal["ones"] = "ones"

    def draw(self, noise: Array, fan_out: int, negative_slope: float = 0.0) -> Array:
        return np.ones_like(noise)


@INITIALIZERS.register
class Constant(Initializer):
    """All weights `value`. As with ones, the units of a layer start equal and stay equal (torch.nn.init.constant_)."""

    name: Literal["constant"] = "constant"
    value: float = 0.1

    def draw(self, noise: Array, fan_out: int, negative_slope: float = 0.0) -> Array:
        return np.full_like(noise, self.value)


@INITIALIZERS.register
class SmallNormal(Scaled):
    """N(0, std^2) whatever the size of the layer; std 0.01 is AlexNet's (Krizhevsky et al. 2012, section 5)."""

    name: Literal["small_normal"] = "small_normal"
    std: Positive = 0.01

    def variance(self, fan_in: int, fan_out: int, negative_slope: float = 0.0) -> float:
        return self.std**2


@INITIALIZERS.register
class LargeNormal(Scaled):
    """N(0, 1) whatever the size of the layer: signals grow by sqrt(fan_in) a layer, and bounded units saturate.

    It is the opposite of `small_normal`, the pair with which lectures motivate scaled schemes.
    """

    name: Literal["large_normal"] = "large_normal"

    def variance(self, fan_in: int, fan_out: int, negative_slope: float = 0.0) -> float:
        return 1.0


class _LeCun(Scaled):
    def variance(self, fan_in: int, fan_out: int, negative_slope: float = 0.0) -> float:
        return 1.0 / fan_in


@INITIALIZERS.register
class LecunUniform(_LeCun):
    """Uniform with variance 1 / fan_in (LeCun et al. 1998, "Efficient BackProp", section 4.6)."""

    name: Literal["lecun_uniform"] = "lecun_uniform"


@INITIALIZERS.register
class LecunNormal(_LeCun):
    """N(0, 1 / fan_in) (LeCun et al. 1998, "Efficient BackProp", section 4.6)."""

    name: Literal["lecun_normal"] = "lecun_normal"


class _Xavier(Scaled):
    def variance(self, fan_in: int, fan_out: int, negative_slope: float = 0.0) -> float:
        return 2.0 / (fan_in + fan_out)


@INITIALIZERS.register
class XavierUniform(_Xavier):
    """Uniform with variance 2 / (fan_in + fan_out) (Glorot & Bengio 2010, equation 16)."""

    name: Literal["xavier_uniform"] = "xavier_uniform"


@INITIALIZERS.register
class XavierNormal(_Xavier):
    """N(0, 2 / (fan_in + fan_out)) (Glorot & Bengio 2010, equation 12)."""

    name: Literal["xavier_normal"] = "xavier_normal"


class _Kaiming(Scaled):
    def variance(self, fan_in: int, fan_out: int, negative_slope: float = 0.0) -> float:
        return 2.0 / ((1.0 + negative_slope**2) * fan_in)


@INITIALIZERS.register
class KaimingUniform(_Kaiming):
    """Uniform with variance 2 / ((1 + slope^2) fan_in) (He et al. 2015, equations 10 and 15)."""

    name: Literal["kaiming_uniform"] = "kaiming_uniform"


@INITIALIZERS.register
class KaimingNormal(_Kaiming):
    """N(0, 2 / ((1 + slope^2) fan_in)), slope 0 but for leaky units (He et al. 2015, equations 10 and 15)."""

    name: Literal["kaiming_normal"] = "kaiming_normal"


@INITIALIZERS.register
class TorchDefault(Scaled):
    """U(+-1 / sqrt(fan_in)), variance 1 / (3 fan_in): the weights of torch.nn.Linear when nobody chooses.

    It is the "standard" baseline of Glorot & Bengio 2010 (equation 1). Biases take the factor `bias` here, where
    torch.nn.Linear draws them from the same range.
    """

    name: Literal["torch_default"] = "torch_default"

    def variance(self, fan_in: int, fan_out: int, negative_slope: float = 0.0) -> float:
        return 1.0 / (3.0 * fan_in)


@INITIALIZERS.register
class TruncatedNormal(Scaled):
    """Normal, cut at 2 standard deviations, with variance scale / fan_in after the cut.

    Keras' and JAX's lecun_normal is scale 1, their he_normal scale 2 (VarianceScaling with fan_in). With F the normal
    distribution function, noise z becomes c F^-1(F(-2) + (F(2) - F(-2)) F(z)), where c restores the variance.
    """

    name: Literal["truncated_normal"] = "truncated_normal"
    scale: Positive = 1.0

    def variance(self, fan_in: int, fan_out: int, negative_slope: float = 0.0) -> float:
        return self.scale / fan_in

    def draw(self, noise: Array, fan_out: int, negative_slope: float = 0.0) -> Array:
        from scipy.special import ndtr, ndtri  # here, since the Snakefile reads this module at every start

        inside = math.erf(TRUNCATED / math.sqrt(2.0))
        density = math.exp(-(TRUNCATED**2) / 2.0) / math.sqrt(2.0 * math.pi)
        kept = 1.0 - 2.0 * TRUNCATED * density / inside  # variance that the cut leaves of 1
        cut = ndtri(ndtr(-TRUNCATED) + inside * ndtr(noise))
        return np.asarray(cut * math.sqrt(self.variance(noise.shape[0], fan_out) / kept))


@INITIALIZERS.register
class Orthogonal(Initializer):
    """A random orthogonal matrix times `gain`: W^T W = gain^2 I, or W W^T if units outnumber inputs (Saxe et al. 2014).

    Q of the noise's QR decomposition, with the signs of R's diagonal, which makes it uniform among all orthogonal
    matrices (Mezzadri 2007, section 5). Each linear map of a maxout layer is orthogonal by itself.
    """

    name: Literal["orthogonal"] = "orthogonal"
    gain: Positive = 1.0

    def draw(self, noise: Array, fan_out: int, negative_slope: float = 0.0) -> Array:
        maps = np.split(noise, noise.shape[1] // fan_out, axis=1)
        return self.gain * np.concatenate([_orthogonal(part) for part in maps], axis=1)


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

    name: Literal["sparse"] = "sparse"
    connections: Annotated[int, Field(ge=1)] = 15
    std: Positive = 1.0

    def draw(self, noise: Array, fan_out: int, negative_slope: float = 0.0) -> Array:
        digits = np.mod(noise * 2.0**20, 1.0)
        chosen = np.argsort(digits, axis=0, kind="stable")[: self.connections]
        weights = np.zeros_like(noise)
        np.put_along_axis(weights, chosen, self.std * np.take_along_axis(noise, chosen, axis=0), axis=0)
        return weights
