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


NORMALIZATIONS: Registry[Normalization] = Registry("normalization", Normalization)


@NORMALIZATIONS.register
class NoNormalization(Normalization):
    """Nothing between the linear map and the activation."""

    name: Literal["none"] = "none"


@NORMALIZATIONS.register
class BatchNorm(_BatchNorm):
    """Batch normalization between the linear map and the activation, as in the paper."""

    name: Literal["batchnorm"] = "batchnorm"
    position: ClassVar[Literal["absent", "before", "after"]] = "before"


@NORMALIZATIONS.register
class BatchNormAfter(_BatchNorm):
    """Batch normalization of the activation's output."""

    name: Literal["batchnorm_after"] = "batchnorm_after"
    position: ClassVar[Literal["absent", "before", "after"]] = "after"


@NORMALIZATIONS.register
class BatchNormFixed(_BatchNorm):
    """Batch normalization before the activation without learned scale and shift: gamma 1, beta 0."""

    name: Literal["batchnorm_fixed"] = "batchnorm_fixed"
    position: ClassVar[Literal["absent", "before", "after"]] = "before"
    affine: ClassVar[bool] = False
