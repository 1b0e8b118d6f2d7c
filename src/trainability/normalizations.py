"""Normalizations: where one stands in a layer, what it learns, and how it starts.

The entries are read by the Snakefile without torch; `normalizers` does the arithmetic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from trainability.normalizers import (
    BatchNormalizer,
    GroupNormalizer,
    ImageBatchNormalizer,
    ImageGroupNormalizer,
    Normalizer,
    WeightStandardizer,
)
from trainability.registry import Component, Registry

if TYPE_CHECKING:
    from torch import Tensor

Position = Literal["absent", "before", "after", "weights"]
Epsilon = Annotated[float, Field(ge=0)]


class Normalization(Component):
    """What stands beside the activation of every hidden layer, before or after it, or acts on the layer's weights."""

    @property
    def position(self) -> Position:
        """Where it stands: before or after the activation, on the weights, or nowhere."""
        return "absent"

    @property
    def learned(self) -> int:
        """Learned numbers for each unit (of a unit with several pieces, for each piece, if it stands before)."""
        return 0

    @property
    def absorbs_bias(self) -> bool:
        """Whether a bias before it would change nothing, since it is subtracted again."""
        return False

    @property
    def of_batch(self) -> bool:
        """Whether an example's result depends on the other examples of its batch."""
        return False

    @property
    def divisor(self) -> int:
        """A layer's units must be a multiple of it."""
        return 1

    def start(self, runs: int, units: int, positions: int, like: Tensor) -> Normalizer:
        """One layer's normalizer at the start of a training, for `runs` runs and activations [R, N, units].

        A layer's N rows are `positions` positions of each example: 1, or the pixels of an image.
        """
        raise NotImplementedError

    def start_weights(self) -> WeightStandardizer:
        """What becomes of one layer's weights, if the position is `weights`."""
        raise NotImplementedError


NORMALIZATIONS: Registry[Normalization] = Registry("normalization", Normalization)


@NORMALIZATIONS.register
class NoNormalization(Normalization):
    """Nothing between the linear map and the activation."""

    formula = r"a = f(z)"
    reference = "the baseline of Ioffe & Szegedy 2015, section 4.1, arXiv 1502.03167"

    name: Literal["none"] = "none"


class _BatchNorm(Normalization):
    eps: Epsilon = 1e-5
    momentum: Annotated[float, Field(gt=0, le=1)] = 0.1

    @property
    def position(self) -> Position:
        return "before"

    @property
    def learned(self) -> int:
        return 2

    @property
    def absorbs_bias(self) -> bool:
        return self.position == "before"

    @property
    def of_batch(self) -> bool:
        return True

    def start(self, runs: int, units: int, positions: int, like: Tensor) -> Normalizer:
        kind = BatchNormalizer if positions == 1 else ImageBatchNormalizer
        return kind(runs, units, like, bool(self.learned), self.eps, self.momentum)


@NORMALIZATIONS.register
class BatchNorm(_BatchNorm):
    """Batch normalization between the linear map and the activation, as in the paper.

    y = gamma (x - mean) / sqrt(var + eps) + beta with the mini-batch's mean and (biased) variance in training and
    running estimates at evaluation; `eps` and `momentum` (of the running estimates) as in torch.nn.BatchNorm1d.
    """

    formula = r"a = f\left(\gamma \, \frac{z - \mu}{\sqrt{\sigma^2 + \varepsilon}} + \beta\right)"
    reference = "Ioffe & Szegedy 2015, algorithm 1, arXiv 1502.03167"

    name: Literal["batchnorm"] = "batchnorm"


@NORMALIZATIONS.register
class BatchNormAfter(_BatchNorm):
    """Batch normalization of the activation's output."""

    formula = r"a = \gamma \, \frac{f(z) - \mu}{\sqrt{\sigma^2 + \varepsilon}} + \beta"
    reference = "Mishkin, Sergievskiy & Matas 2017, who compare both places, arXiv 1606.02228"

    name: Literal["batchnorm_after"] = "batchnorm_after"

    @property
    def position(self) -> Position:
        return "after"


@NORMALIZATIONS.register
class BatchNormFixed(_BatchNorm):
    """Batch normalization before the activation without learned scale and shift: gamma 1, beta 0."""

    formula = r"a = f\left(\frac{z - \mu}{\sqrt{\sigma^2 + \varepsilon}}\right)"
    reference = "Ioffe & Szegedy 2015, section 3, arXiv 1502.03167; torch.nn.BatchNorm1d without affine"

    name: Literal["batchnorm_fixed"] = "batchnorm_fixed"

    @property
    def learned(self) -> int:
        return 0


class _OfExample(Normalization):
    eps: Epsilon = 1e-5
    affine: bool = True
    place: Literal["before", "after"] = "before"

    @property
    def position(self) -> Position:
        return self.place

    @property
    def learned(self) -> int:
        return 2 if self.affine else 0


@NORMALIZATIONS.register
class LayerNorm(_OfExample):
    """Each example over all units of a layer, y = gamma (x - mean) / sqrt(var + eps) + beta (Ba et al. 2016).

    Of an image it takes mean and variance over all channels and pixels, and gamma and beta are per channel, as
    torch.nn.GroupNorm with one group does. `place` says on which side of the activation it stands.
    """

    formula = r"f\left(\gamma \, \frac{z - \mu}{\sqrt{\sigma^2 + \varepsilon}} + \beta\right)"
    reference = "Ba, Kiros & Hinton 2016, equation 4, arXiv 1607.06450"

    name: Literal["layernorm"] = "layernorm"

    def start(self, runs: int, units: int, positions: int, like: Tensor) -> Normalizer:
        kind = GroupNormalizer if positions == 1 else ImageGroupNormalizer
        return kind(runs, units, positions, like, eps=self.eps, affine=self.affine)


@NORMALIZATIONS.register
class RmsNorm(_OfExample):
    """Each example over all units of a layer without centring, y = gamma x / sqrt(mean x^2 + eps).

    Zhang & Sennrich 2019; torch.nn.RMSNorm. There is no shift. Of an image the mean goes over all channels and pixels.
    """

    formula = r"f\left(\gamma \, \frac{z}{\sqrt{\overline{z^2} + \varepsilon}}\right)"
    reference = "Zhang & Sennrich 2019, equation 4, arXiv 1910.07467"

    name: Literal["rmsnorm"] = "rmsnorm"

    @property
    def learned(self) -> int:
        return 1 if self.affine else 0

    def start(self, runs: int, units: int, positions: int, like: Tensor) -> Normalizer:
        return GroupNormalizer(runs, units, positions, like, eps=self.eps, affine=self.affine, centre=False)


@NORMALIZATIONS.register
class GroupNorm(_OfExample):
    """Each example over groups of neighbouring units, of an image also over its pixels (Wu & He 2018).

    y = gamma (x - mean) / sqrt(var + eps) + beta as torch.nn.GroupNorm; a layer's units must be a multiple of `groups`.
    """

    formula = r"f\left(\gamma \, \frac{z - \mu}{\sqrt{\sigma^2 + \varepsilon}} + \beta\right)"
    reference = "Wu & He 2018, equations 1 and 7, arXiv 1803.08494"

    name: Literal["groupnorm"] = "groupnorm"
    groups: Annotated[int, Field(ge=1)] = 8

    @property
    def divisor(self) -> int:
        return self.groups

    def start(self, runs: int, units: int, positions: int, like: Tensor) -> Normalizer:
        kind = GroupNormalizer if positions == 1 else ImageGroupNormalizer
        return kind(runs, units, positions, like, self.groups, self.eps, self.affine)


@NORMALIZATIONS.register
class WeightStandardization(Normalization):
    """Each unit's incoming weights are standardised, gain (W - mean) / sqrt(fan_in (var + eps)) (Qiao et al. 2019).

    What is trained is W, whose scale does not matter. The paper adds group normalization and leaves the factor
    gain / sqrt(fan_in) out; it keeps signals in scale without one (Brock et al. 2021, equation 1).
    """

    formula = r"f\left(x^T \, \mathrm{gain} \, \frac{W - \mu}{\sqrt{n_{in} \, (\sigma^2 + \varepsilon)}} + b\right)"
    reference = "Qiao et al. 2019, equation 5, arXiv 1903.10520; Brock et al. 2021, equation 1, arXiv 2101.08692"

    name: Literal["weight_standardization"] = "weight_standardization"
    eps: Epsilon = 1e-5
    gain: Annotated[float, Field(gt=0)] = 1.0

    @property
    def position(self) -> Position:
        return "weights"

    def start_weights(self) -> WeightStandardizer:
        return WeightStandardizer(self.eps, self.gain)
