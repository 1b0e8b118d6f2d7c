"""What every normalization must say."""

from __future__ import annotations

import math
from collections.abc import Iterator

from trainability.normalizations import Normalization

POSITIONS = ("absent", "before", "after")


def facts(normalization: Normalization) -> Iterator[str]:
    """Its position and its parameters are such as the network knows."""
    if normalization.position not in POSITIONS:
        yield f"position is {normalization.position!r}, expected one of {', '.join(POSITIONS)}"
    if not isinstance(normalization.affine, bool):
        yield f"affine is {normalization.affine!r}, expected True or False"
    for name in ("eps", "momentum") if normalization.position != "absent" else ():
        number = getattr(normalization, name, None)
        if not isinstance(number, float) or not math.isfinite(number) or number < 0:
            yield f"{name} is {number!r}, expected a number from 0: batch normalization uses it"


STAGES = ((facts,),)
