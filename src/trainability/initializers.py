"""Weight initialisation schemes: a registry of formulas, each with its source.

Every scheme is a function of one array of standard normal noise, which depends on the seed and the layer alone.
Schemes that differ only in scale therefore start from the same draws, and the uniform form of a scheme is the
same noise carried through the normal distribution function: comparisons between schemes are paired.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from trainability import seeding
from trainability.registry import Component, Registry

if TYPE_CHECKING:
    from torch import Tensor

Array = NDArray[np.float64]
Positive = Annotated[float, Field(gt=0)]
TRUNCATED = 2.0  # standard deviations at which truncated_normal is cut
ASYMMETRIC = 0.6007  # standard deviation of rai's normal numbers, times sqrt(fan_in)


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
