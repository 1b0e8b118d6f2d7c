"""The registries that the configuration chooses components from.

A registry that knows its base class also takes anybody's subclass of it, named `package.module:Class`. Nothing here
imports torch: the Snakefile reads the registries at every start.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Generic, Literal, TypeVar, Union

from pydantic import Field, SerializeAsAny, TypeAdapter, WrapValidator
from pydantic_core import PydanticCustomError

from trainability import adopted, foreign
from trainability.component import Component, suggest

__all__ = ["Component", "Registry", "suggest"]

C = TypeVar("C", bound=Component)


class Registry(Generic[C]):
    """The components that one factor can take, by name, in the order of their registration.

    With a `base`, subclasses of it in other packages are taken as well; `required` are the attributes that they must
    define.
    """

    def __init__(self, noun: str, base: type[C] | None = None, required: Iterable[str] = ()) -> None:
        self.noun, self.base, self.required = noun, base, tuple(required)
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

    def find(self, name: str) -> type[C]:
        """The class that a name means; raises PydanticCustomError with what is known, or why it cannot be used."""
        if self.base and foreign.is_foreign(name):
            try:
                return adopted.adopt(name, self.base, self.required)
            except foreign.ForeignError as error:
                raise PydanticCustomError("foreign", "{problem}", {"problem": str(error)}) from None
        if name not in self._components:
            shown = name.encode(errors="backslashreplace").decode()  # JSON can hold half a character, messages cannot
            allowed = ", ".join(self) + (", and classes of your own as module:Class" if self.base else "")
            raise PydanticCustomError(
                "unknown_name",
                "no {noun} is called {name}: {suggestion}known are {allowed}",
                {"noun": self.noun, "name": shown, "suggestion": suggest(name, self), "allowed": allowed},
            )
        return self._components[name]

    def _one(self, value: Any, check: Any) -> Any:
        """One component from its name, a mapping or itself; `check` knows those of the registry."""
        if isinstance(value, Component):
            taken = self.base and isinstance(value, self.base) and foreign.is_foreign(value.name)
            return value if taken else check(value)
        spelled = {"name": value} if isinstance(value, str) else value
        if not isinstance(spelled, dict) or not isinstance(spelled.get("name"), str):
            raise PydanticCustomError(
                "component_shape",
                "expected the name of one {noun}, or a mapping with `name` and its parameters",
                {"noun": self.noun},
            )
        kind = self.find(spelled["name"])
        return adopted.parametrised(kind, spelled) if foreign.is_foreign(spelled["name"]) else check(spelled)

    @property
    def field(self) -> Any:
        """The annotated type of a configuration field that takes one component of this registry."""
        classes = tuple(self._components.values())
        spelled: Any = Annotated[Union[classes], Field(discriminator="name")]  # noqa: UP007 (made at run time)
        either: Any = Union[Literal[tuple(self._components)], spelled]  # noqa: UP007
        if self.base:
            either = Union[either, adopted.Name, adopted.Own]  # noqa: UP007
        # Each is written by its own class, which the union does not know if it is foreign.
        checked = WrapValidator(self._one, json_schema_input_type=either)
        return Annotated[spelled, checked, SerializeAsAny()]  # type: ignore[type-arg]  # takes none at run time
