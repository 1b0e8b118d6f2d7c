"""What every normalization must say."""

from __future__ import annotations

from collections.abc import Iterator

from trainability.normalizations import Normalization

POSITIONS = ("absent", "before", "after", "weights")


def facts(normalization: Normalization) -> Iterator[str]:
    """Its position is one that the network knows."""
    if normalization.position not in POSITIONS:
        yield f"position is {normalization.position!r}, expected one of {', '.join(POSITIONS)}"


STAGES = ((facts,),)
