"""Named, parametrised components, and the registries that the configuration chooses them from.

A component is a frozen pydantic model: its fields are its parameters, its `name` is a literal, its docstring
carries formula and source. In a configuration it is written as its name (`elu`) or, with parameters, as a
mapping (`{name: elu, alpha: 0.5}`). Nothing here imports torch: the Snakefile reads the registries at every start.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar, Union

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter
from pydantic_core import PydanticCustomError


class Component(BaseModel):
    """One choice for one factor; two components are equal when name and all parameters are.

    `formula` is its definition in the part of LaTeX that matplotlib draws, `reference` says where it comes from; the
    reference page shows both.
    """

    formula: ClassVar[str] = ""
    reference: ClassVar[str] = ""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    name: str

    @property
    def chosen(self) -> dict[str, Any]:
        """The parameters that differ from their defaults, in the order of their declaration."""
        fields = type(self).model_fields
        return {key: value for key, value in self if key != "name" and value != fields[key].get_default()}

    @property
    def label(self) -> str:
        """How people read it: `elu`, or `elu(alpha=0.5)` where a parameter is not the default."""
        inside = ", ".join(f"{key}={_plain(value)}" for key, value in self.chosen.items())
        return f"{self.name}({inside})" if inside else self.name

    @property
    def slug(self) -> str:
        """The label as a part of a file name: `elu`, `elu-alpha-0.5`."""
        parts = [self.name, *(f"{key}-{_plain(value)}" for key, value in self.chosen.items())]
        return re.sub(r"[^A-Za-z0-9_.+-]", "_", "-".join(parts))

    def __str__(self) -> str:
        return self.label


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def suggest(name: str, allowed: Iterable[str]) -> str:
    """`did you mean 'relu'? ` where an allowed name is near, else nothing."""
    near = difflib.get_close_matches(name.lower(), list(allowed), n=1, cutoff=0.5)
    return f"did you mean '{near[0]}'? " if near else ""


C = TypeVar("C", bound=Component)


class Registry(Generic[C]):
    """The components that one factor can take, by name, in the order of their registration."""

    def __init__(self, noun: str) -> None:
        self.noun = noun
        self._components: dict[str, type[C]] = {}

    def register(self, component: type[C]) -> type[C]:
        """Class decorator: enter a component under the default of its literal `name`."""
        name = component.model_fields["name"].get_default()
        if name in self._components:
            raise ValueError(f"{self.noun} '{name}' is registered twice")
        self._components[name] = component
        return component

    def __iter__(self) -> Iterator[str]:
        return iter(self._components)

    def __getitem__(self, name: str) -> type[C]:
        return self._components[name]

    def __len__(self) -> int:
        return len(self._components)

    def parse(self, text: str) -> C:
        """The component that a name, or a JSON object with name and parameters, describes."""
        value = json.loads(text) if text.lstrip().startswith("{") else text
        component: C = TypeAdapter(self.field).validate_python(value)
        return component

    def _spelled_out(self, value: Any) -> Any:
        """Turn a bare name into a mapping, and answer an unknown name with the known ones."""
        if isinstance(value, Component):
            return value
        if isinstance(value, str):
            value = {"name": value}
        if not isinstance(value, dict) or not isinstance(value.get("name"), str):
            raise PydanticCustomError(
                "component_shape",
                "expected the name of one {noun}, or a mapping with `name` and its parameters",
                {"noun": self.noun, "allowed": ", ".join(self)},
            )
        name = value["name"]
        if name not in self._components:
            raise PydanticCustomError(
                "unknown_name",
                "no {noun} has this name: {suggestion}known are {allowed}",
                {"noun": self.noun, "suggestion": suggest(name, self), "allowed": ", ".join(self)},
            )
        return value

    @property
    def field(self) -> Any:
        """The annotated type of a configuration field that takes one component of this registry."""
        classes = tuple(self._components.values())
        spelled: Any = Annotated[Union[classes], Field(discriminator="name")]  # noqa: UP007 (made at run time)
        either = Union[Literal[tuple(self._components)], spelled]  # type: ignore[valid-type]  # noqa: UP007
        return Annotated[spelled, BeforeValidator(self._spelled_out, json_schema_input_type=either)]
