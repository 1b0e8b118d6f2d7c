"""Schemes that draw every weight alike: constants, and normal or uniform numbers of some variance."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from trainability.initializers.base import INITIALIZERS, Array, Initializer, Positive, Scaled

TRUNCATED = 2.0  # standard deviations at which truncated_normal is cut


@INITIALIZERS.register
class Zeros(Initializer):
    """All weights 0. Nothing breaks the symmetry between units: the lecture's first warning."""

    formula = r"W_{ij} = 0"
    reference = 'Goodfellow, Bengio & Courville 2016, "Deep Learning", section 8.4'

    name: Literal["zeros"] = "zeros"

    def draw(self, noise: Array, fan_out: int, negative_slope: float = 0.0) -> Array:
        return np.zeros_like(noise)


@INITIALIZERS.register
class Ones(Initializer):
    """All weights 1. The units of a layer start equal and stay equal."""

    formula = r"W_{ij} = 1"
    reference = 'Goodfellow, Bengio & Courville 2016, "Deep Learning", section 8.4'

    name: Literal["ones"] = "ones"

    def draw(self, noise: Array, fan_out: int, negative_slope: float = 0.0) -> Array:
        return np.ones_like(noise)


@INITIALIZERS.register
class Constant(Initializer):
    """All weights `value`. As with ones, the units of a layer start equal and stay equal (torch.nn.init.constant_)."""

    formula = r"W_{ij} = \mathrm{value}"
    reference = "torch.nn.init.constant_"

    name: Literal["constant"] = "constant"
    value: float = 0.1

    def draw(self, noise: Array, fan_out: int, negative_slope: float = 0.0) -> Array:
        return np.full_like(noise, self.value)


@INITIALIZERS.register
class SmallNormal(Scaled):
    """N(0, std^2) whatever the size of the layer; std 0.01 is AlexNet's (Krizhevsky et al. 2012, section 5)."""

    formula = r"W_{ij} \sim \mathcal{N}(0, \mathrm{std}^2)"
    reference = (
        "Krizhevsky, Sutskever & Hinton 2012, "
        '"ImageNet classification with deep convolutional neural networks", section 5'
    )

    name: Literal["small_normal"] = "small_normal"
    std: Positive = 0.01

    def variance(self, fan_in: int, fan_out: int, negative_slope: float = 0.0) -> float:
        return self.std**2


@INITIALIZERS.register
class LargeNormal(Scaled):
    """N(0, 1) whatever the size of the layer: signals grow by sqrt(fan_in) a layer, and bounded units saturate.

    It is the opposite of `small_normal`, the pair with which lectures motivate scaled schemes.
    """

    formula = r"W_{ij} \sim \mathcal{N}(0, 1)"
    reference = "Stanford CS231n 2016, lecture 5, on weight initialization"

    name: Literal["large_normal"] = "large_normal"

    def variance(self, fan_in: int, fan_out: int, negative_slope: float = 0.0) -> float:
        return 1.0


class _LeCun(Scaled):
    def variance(self, fan_in: int, fan_out: int, negative_slope: float = 0.0) -> float:
        return 1.0 / fan_in


@INITIALIZERS.register
class LecunUniform(_LeCun):
    """Uniform with variance 1 / fan_in (LeCun et al. 1998, "Efficient BackProp", section 4.6)."""

    formula = r"W_{ij} \sim \mathcal{U}(-a, a), \quad a = \sqrt{\frac{3}{n_{\mathrm{in}}}}"
    reference = 'LeCun et al. 1998, "Efficient BackProp", section 4.6'

    name: Literal["lecun_uniform"] = "lecun_uniform"


@INITIALIZERS.register
class LecunNormal(_LeCun):
    """N(0, 1 / fan_in) (LeCun et al. 1998, "Efficient BackProp", section 4.6)."""

    formula = r"W_{ij} \sim \mathcal{N}\left(0, \frac{1}{n_{\mathrm{in}}}\right)"
    reference = 'LeCun et al. 1998, "Efficient BackProp", section 4.6'

    name: Literal["lecun_normal"] = "lecun_normal"


class _Xavier(Scaled):
    def variance(self, fan_in: int, fan_out: int, negative_slope: float = 0.0) -> float:
        return 2.0 / (fan_in + fan_out)


@INITIALIZERS.register
class XavierUniform(_Xavier):
    """Uniform with variance 2 / (fan_in + fan_out) (Glorot & Bengio 2010, equation 16)."""

    formula = r"W_{ij} \sim \mathcal{U}(-a, a), \quad a = \sqrt{\frac{6}{n_{\mathrm{in}} + n_{\mathrm{out}}}}"
    reference = (
        'Glorot & Bengio 2010, "Understanding the difficulty of training deep feedforward neural networks", equation 16'
    )

    name: Literal["xavier_uniform"] = "xavier_uniform"


@INITIALIZERS.register
class XavierNormal(_Xavier):
    """N(0, 2 / (fan_in + fan_out)) (Glorot & Bengio 2010, equation 12)."""

    formula = r"W_{ij} \sim \mathcal{N}\left(0, \frac{2}{n_{\mathrm{in}} + n_{\mathrm{out}}}\right)"
    reference = (
        'Glorot & Bengio 2010, "Understanding the difficulty of training deep feedforward neural networks", equation 12'
    )

    name: Literal["xavier_normal"] = "xavier_normal"


class _Kaiming(Scaled):
    def variance(self, fan_in: int, fan_out: int, negative_slope: float = 0.0) -> float:
        return 2.0 / ((1.0 + negative_slope**2) * fan_in)


@INITIALIZERS.register
class KaimingUniform(_Kaiming):
    """Uniform with variance 2 / ((1 + slope^2) fan_in) (He et al. 2015, equations 10 and 15)."""

    formula = r"W_{ij} \sim \mathcal{U}(-a, a), \quad a = \sqrt{\frac{6}{(1 + s^2) \, n_{\mathrm{in}}}}"
    reference = "He et al. 2015, equations 10 and 15, arXiv 1502.01852"

    name: Literal["kaiming_uniform"] = "kaiming_uniform"


@INITIALIZERS.register
class KaimingNormal(_Kaiming):
    """N(0, 2 / ((1 + slope^2) fan_in)), slope 0 but for leaky units (He et al. 2015, equations 10 and 15)."""

    formula = r"W_{ij} \sim \mathcal{N}\left(0, \frac{2}{(1 + s^2) \, n_{\mathrm{in}}}\right)"
    reference = "He et al. 2015, equations 10 and 15, arXiv 1502.01852"

    name: Literal["kaiming_normal"] = "kaiming_normal"


@INITIALIZERS.register
class TorchDefault(Scaled):
    """U(+-1 / sqrt(fan_in)), variance 1 / (3 fan_in): the weights of torch.nn.Linear when nobody chooses.

    It is the "standard" baseline of Glorot & Bengio 2010 (equation 1). Biases take the factor `bias` here, where
    torch.nn.Linear draws them from the same range.
    """

    formula = r"W_{ij} \sim \mathcal{U}(-a, a), \quad a = \frac{1}{\sqrt{n_{\mathrm{in}}}}"
    reference = (
        "torch.nn.Linear; Glorot & Bengio 2010, "
        '"Understanding the difficulty of training deep feedforward neural networks", equation 1'
    )

    name: Literal["torch_default"] = "torch_default"

    def variance(self, fan_in: int, fan_out: int, negative_slope: float = 0.0) -> float:
        return 1.0 / (3.0 * fan_in)


@INITIALIZERS.register
class TruncatedNormal(Scaled):
    """Normal, cut at 2 standard deviations, with variance scale / fan_in after the cut.

    Keras' and JAX's lecun_normal is scale 1, their he_normal scale 2 (VarianceScaling with fan_in). With F the normal
    distribution function, noise z becomes c F^-1(F(-2) + (F(2) - F(-2)) F(z)), where c restores the variance.
    """

    formula = (
        r"W_{ij} \sim \mathcal{N}(0, \sigma^2), \quad \vert W_{ij} \vert \leq 2 \sigma, \quad "
        r"\mathrm{Var} \, W_{ij} = \frac{\mathrm{scale}}{n_{\mathrm{in}}}"
    )
    reference = "Keras and JAX, VarianceScaling with a truncated normal distribution"

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
