"""What a component says of itself, read from its class: docstring, formula, source and parameters."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trainability.registry import Component, Registry

BOUNDS = {"minimum": "\u2265", "exclusiveMinimum": ">", "maximum": "\u2264", "exclusiveMaximum": "<"}
WORDS = {"number": "number", "integer": "integer", "boolean": "true or false", "string": "text", "null": "none"}


@dataclass(frozen=True)
class Parameter:
    """A field of a component: the values that it takes, and the one it has if nobody chooses."""

    name: str
    values: str
    default: str


@dataclass(frozen=True)
class Entry:
    """One component as a reader meets it; `details` are the paragraphs after the summary."""

    name: str
    summary: str
    details: tuple[str, ...]
    formula: str
    reference: str
    parameters: tuple[Parameter, ...]


def entry(component: type[Component]) -> Entry:
    """The entry of one component."""
    summary, *details = paragraphs(component)
    name = component.model_fields["name"].get_default()
    return Entry(name, summary, tuple(details), component.formula, component.reference, parameters(component))


def introduction(registry: Registry[Any]) -> tuple[str, ...]:
    """The paragraphs that the base class of a registry's components opens with."""
    lineage = registry[next(iter(registry))].__mro__
    return paragraphs(lineage[lineage.index(Component) - 1])


def paragraphs(component: type[Component]) -> tuple[str, ...]:
    """A class's docstring, each paragraph on one line."""
    text = inspect.cleandoc(component.__doc__ or "")
    return tuple(" ".join(part.split()) for part in text.split("\n\n"))


def parameters(component: type[Component]) -> tuple[Parameter, ...]:
    """All fields but the name, in the order of their declaration."""
    schema = component.model_json_schema()["properties"]
    return tuple(
        Parameter(name, values(schema[name]), _shown(field.get_default(call_default_factory=True)))
        for name, field in component.model_fields.items()
        if name != "name"
    )


def values(schema: Mapping[str, Any]) -> str:
    """The values that a JSON schema allows, in words: `number >= 0, < 1`."""
    if "anyOf" in schema:
        return " or ".join(values(choice) for choice in schema["anyOf"])
    if "enum" in schema:
        return f"one of {', '.join(map(_shown, schema['enum']))}"
    if "const" in schema:
        return _shown(schema["const"])
    bounds = [f"{sign} {_shown(schema[key])}" for key, sign in BOUNDS.items() if key in schema]
    return f"{WORDS.get(schema.get('type', ''), 'see the schema')} {', '.join(bounds)}".strip()


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    return f"{value:g}".replace("e-0", "e-") if isinstance(value, float) else str(value)
