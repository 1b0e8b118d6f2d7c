"""What an analysis is, the registry of all, and the types of their parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from trainability.activations import Activation
from trainability.cell import OneActivation, OneInitializer, OneNormalization, as_tuple, distinct
from trainability.initializers import Initializer
from trainability.normalizations import Normalization
from trainability.registry import Component, Registry

Row = dict[str, Any]
Count = Annotated[int, Field(ge=1)]
Width = Annotated[int, Field(ge=1, le=16384)]  # depths and widths are bounded as a cell's are


class Analysis(Component):
    """A claim's numbers, found without training: a small job that writes one tidy table."""

    @property
    def exclusive(self) -> bool:
        """Whether nothing else may run on the machine meanwhile, since it measures time."""
        return False

    def rows(self) -> list[Row]:
        """The table, every row with the same columns; `outcome.compute` calls it with one thread and no autograd."""
        raise NotImplementedError


ANALYSES: Registry[Analysis] = Registry("analysis")


def _several(one: Any) -> Any:
    """A parameter that takes a list, each entry once."""
    checks = Field(min_length=1), AfterValidator(distinct), BeforeValidator(as_tuple, json_schema_input_type=list[one])
    return Annotated[tuple[one, ...], *checks]


if TYPE_CHECKING:  # a type checker cannot follow types that are made at run time
    Activations = tuple[Activation, ...]
    Initializers = tuple[Initializer, ...]
    Normalizations = tuple[Normalization, ...]
    Counts = tuple[int, ...]
    Depths = tuple[int, ...]
    Widths = tuple[int, ...]
else:
    Activations = _several(OneActivation)
    Initializers = _several(OneInitializer)
    Normalizations = _several(OneNormalization)
    Counts = _several(Count)
    Depths = _several(Annotated[int, Field(ge=1, le=200)])
    Widths = _several(Width)
