"""Normalizations: where one stands in a layer, and whether it learns a scale and a shift.

The entries are data, read by the Snakefile without torch; `network.BatchNorm` does the arithmetic. Batch
normalization is due to Ioffe & Szegedy 2015: y = gamma (x - mean) / sqrt(var + eps) + beta, with the mini-batch's
mean and (biased) variance in training and running estimates at evaluation.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from trainability.registry import Component, Registry


class Normalization(Component):
    """What stands beside the activation of every hidden layer."""

    position: ClassVar[Literal["absent", "before", "after"]] = "absent"
    affine: ClassVar[bool] = False


class _BatchNorm(Normalization):
    """Batch normalization; `eps` and `momentum` (of the running estimates) as in torch.nn.BatchNorm1d."""

    eps: Annotated[float, Field(ge=0)] = 1e-5
    momentum: Annotated[float, Field(gt=0, le=1)] = 0.1
    affine: ClassVar[bool] = True


NORMALIZATIONS: Registry[Normalization] = Registry("normalization")


@NORMALIZATIONS.register
class NoNormalization(Normalization):
    """Nothing between the linear map and the activation."""

    formula = r"a = f(z)"
    reference = "the baseline of Ioffe & Szegedy 2015, section 4.1, arXiv 1502.03167"

    name: Literal["none"] = "none"


@NORMALIZATIONS.register
class BatchNorm(_BatchNorm):
    """Batch normalization between the linear map and the activation, as in the paper."""

    formula = r"a = f\left(\gamma \, \frac{z - \mu}{\sqrt{\sigma^2 + \varepsilon}} + \beta\right)"
    reference = "Ioffe & Szegedy 2015, algorithm 1, arXiv 1502.03167"

    name: Literal["batchnorm"] = "batchnorm"
    position: ClassVar[Literal["absent", "before", "after"]] = "before"


@NORMALIZATIONS.register
class BatchNormAfter(_BatchNorm):
    """Batch normalization of the activation's output."""

    formula = r"a = \gamma \, \frac{f(z) - \mu}{\sqrt{\sigma^2 + \varepsilon}} + \beta"
    reference = "Mishkin, Sergievskiy & Matas 2017, who compare both places, arXiv 1606.02228"

    name: Literal["batchnorm_after"] = "batchnorm_after"
    position: ClassVar[Literal["absent", "before", "after"]] = "after"


@NORMALIZATIONS.register
class BatchNormFixed(_BatchNorm):
    """Batch normalization before the activation without learned scale and shift: gamma 1, beta 0."""

    formula = r"a = f\left(\frac{z - \mu}{\sqrt{\sigma^2 + \varepsilon}}\right)"
    reference = "Ioffe & Szegedy 2015, section 3, arXiv 1502.03167; torch.nn.BatchNorm1d without affine"

    name: Literal["batchnorm_fixed"] = "batchnorm_fixed"
    position: ClassVar[Literal["absent", "before", "after"]] = "before"
    affine: ClassVar[bool] = False
