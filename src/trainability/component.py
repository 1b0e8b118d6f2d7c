"""A component: one choice for one factor, with its parameters.

It is a frozen pydantic model: its fields are its parameters, its `name` is a literal, its docstring carries formula
and source. In a configuration it is written as its name (`elu`) or, with parameters, as a mapping
(`{name: elu, alpha: 0.5}`).
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterable
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

LONGEST_SLUG = 44  # five of them and a digest name a cell's folder and files; file systems allow 255 bytes


class Component(BaseModel):
    """One choice for one factor; two components are equal when name and all parameters are.

    `formula` is its definition in the part of LaTeX that matplotlib draws, `reference` says where it comes from; the
    reference page shows both.
    """

    formula: ClassVar[str] = ""
    reference: ClassVar[str] = ""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    name: str = ""  # each entry's own literal; a foreign component's is set to the text that names it

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
        """The label as a part of a file name: `elu`, `elu-alpha-0.5`, `mylab.activations-Snake`.

        Where a character had to be replaced, or the end cut off, a digest of the whole keeps two of them apart.
        """
        parts = [self.name.replace(":", "-"), *(f"{key}-{_plain(value)}" for key, value in self.chosen.items())]
        text = "-".join(parts)
        safe = re.sub(r"[^A-Za-z0-9_.+-]", "_", text)
        if safe == text and len(safe) <= LONGEST_SLUG:
            return safe
        return f"{safe[: LONGEST_SLUG - 7]}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"

    def __str__(self) -> str:
        return self.label


def _plain(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def suggest(name: str, allowed: Iterable[str]) -> str:
    """`did you mean 'relu'? ` where an allowed name is near, else nothing."""
    near = difflib.get_close_matches(name.lower(), list(allowed), n=1, cutoff=0.5)
    return f"did you mean '{near[0]}'? " if near else ""
