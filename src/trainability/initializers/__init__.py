"""Weight initialisation schemes: a registry of formulas, each with its source.

Every scheme is a function of one array of standard normal noise, which depends on the seed and the layer alone.
Schemes that differ only in scale therefore start from the same draws, and the uniform form of a scheme is the
same noise carried through the normal distribution function: comparisons between schemes are paired.
"""

from trainability.initializers.base import INITIALIZERS, Initializer, Scaled, uniform
from trainability.initializers.schemes import (
    Constant,
    KaimingNormal,
    KaimingUniform,
    LargeNormal,
    LecunNormal,
    LecunUniform,
    Ones,
    SmallNormal,
    TorchDefault,
    TruncatedNormal,
    XavierNormal,
    XavierUniform,
    Zeros,
)
from trainability.initializers.structured import Lsuv, Orthogonal, RandomizedAsymmetric, Sparse

__all__ = [
    "INITIALIZERS",
    "Constant",
    "Initializer",
    "KaimingNormal",
    "KaimingUniform",
    "LargeNormal",
    "LecunNormal",
    "LecunUniform",
    "Lsuv",
    "Ones",
    "Orthogonal",
    "RandomizedAsymmetric",
    "Scaled",
    "SmallNormal",
    "Sparse",
    "TorchDefault",
    "TruncatedNormal",
    "XavierNormal",
    "XavierUniform",
    "Zeros",
    "uniform",
]
