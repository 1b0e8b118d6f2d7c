"""The configuration: typed, closed, and checked as a whole before any work starts.

These models are the source of truth; `workflow/schemas/config.schema.json` is generated from them. Reading a
configuration imports neither torch nor pandas, since the Snakefile does it at every start.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationError,
    create_model,
    field_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from trainability import documents
from trainability.analyses import ANALYSES, Analysis
from trainability.cell import FACTORS, Closed, Factors, LearningRates, Seeds, as_tuple, distinct
from trainability.component import suggest
from trainability.datasets import DATASETS
from trainability.expressions import Expression, ExpressionError


class ConfigError(Exception):
    """The configuration cannot be used; the message lists every problem found, one a line."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = [_printable(problem) for problem in problems]
        count = "one problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        super().__init__("\n".join([f"the configuration has {count}:", *(f"  - {p}" for p in self.problems)]))


def _printable(text: str) -> str:
    """Text in which what would move a terminal's cursor, or not be seen, is written as Python does: \\n, \\x1b."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


LONGEST_SHOWN = 80  # characters of a value in a message
Share = Annotated[float, Field(gt=0, lt=1)]


def _parts(name: str, doc: str, many: bool) -> type[Closed]:
    """A model with the fields of Factors, all optional: one value each, or a list of values each."""
    fields: dict[str, Any] = {}
    for key, field in Factors.model_fields.items():
        # Pydantic keeps a discriminator apart from the rest; without it a mistake is one in every member of the union.
        rules = [*([Field(discriminator=field.discriminator)] if field.discriminator else []), *field.metadata]
        one: Any = Annotated[field.annotation, *rules] if rules else field.annotation
        kind = Annotated[list[one], Field(min_length=1), AfterValidator(distinct)] if many else one
        fields[key] = (kind | None, None)
    return create_model(name, __base__=Closed, __doc__=doc, **fields)


Overrides = _parts("Overrides", "Factors that a study fixes at values of its own.", many=False)
Grid = _parts("Grid", "The values of each factor that a study crosses.", many=True)


class Exclusion(Closed):
    """Cells that a study leaves out, and why."""

    when: str = Field(description="An expression over factors, e.g. activation == 'relu' and init == 'zeros'.")
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]

    @field_validator("when")
    @classmethod
    def _is_expression(cls, text: str) -> str:
        try:
            Expression(text, FACTORS)
        except ExpressionError as error:
            raise PydanticCustomError("expression", "{problem}", {"problem": str(error)}) from None
        return text


class Study(Closed):
    """A named sub-grid that answers one question."""

    question: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
    grid: Grid  # type: ignore[valid-type]
    overrides: Overrides = Field(default_factory=Overrides)  # type: ignore[valid-type]
    exclude: list[Exclusion] = Field(default=[])

    @field_validator("grid")
    @classmethod
    def _not_empty(cls, grid: Any) -> Any:
        if not grid.model_fields_set:
            raise PydanticCustomError(
                "empty_grid",
                "give at least one factor a list of values: {allowed}",
                {"allowed": ", ".join(FACTORS)},
            )
        return grid


Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$")]
if TYPE_CHECKING:  # a type checker cannot follow the unions that the registries build at run time
    OneAnalysis = Analysis
else:
    OneAnalysis = ANALYSES.field


def _no_wildcard(path: str) -> str:
    if "{" in path or "}" in path:
        raise PydanticCustomError("wildcard", "a path without { and }, for Snakemake takes {name} for a wildcard")
    return path


ClaimFile = Annotated[str, AfterValidator(_no_wildcard)]


class Config(Closed):
    """One experiment."""

    title: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
    base: Factors = Field(default_factory=Factors, description="The values of all factors where a study is silent.")
    seeds: Seeds = Field(description="Seeds of every cell: a list, or a count n for 0 to n-1.")
    learning_rates: LearningRates = Field(description="Rates of every cell; all are trained, the best is chosen.")
    device: Literal["cpu", "cuda"] = Field(default="cpu", description="Where cells are trained; cuda needs a GPU.")
    targets: Annotated[tuple[Share, ...], BeforeValidator(as_tuple), AfterValidator(distinct)] = Field(
        default=(0.8, 0.9, 0.95), min_length=1, description="Validation accuracies that define convergence."
    )
    studies: dict[Name, Study | None] = Field(
        min_length=1, description="Sub-grids by name; null drops one that an earlier file defined."
    )
    analyses: dict[Name, OneAnalysis | None] = Field(
        default={}, description="Claims that need no training, a table each, by name; null drops one as above."
    )
    claims: list[ClaimFile] = Field(
        default=[], description="Files with statements of your own, judged beside those of the textbook."
    )
    sources: dict[str, str] = Field(
        default={},
        description="Folders that already hold a data set's files, by its name; nothing is downloaded.",
    )

    @field_validator("studies")
    @classmethod
    def _some_study(cls, studies: dict[str, Study | None]) -> dict[str, Study | None]:
        if not any(studies.values()):
            raise PydanticCustomError("no_study", "every study is null: at least one must be defined", {})
        return studies

    @field_validator("sources")
    @classmethod
    def _known_sources(cls, sources: dict[str, str]) -> dict[str, str]:
        for name in sources:
            DATASETS.find(name)
        return sources


def read(values: Mapping[str, Any]) -> Config:
    """Check a parsed configuration; raise ConfigError with every problem at once."""
    try:
        return Config.model_validate(dict(values))
    except ValidationError as error:
        raise ConfigError(problems(error)) from None


def problems(error: ValidationError, model: type[BaseModel] | None = None) -> list[str]:
    """What is wrong with a configuration, or with another closed model, a sentence for each place."""
    details, document = error.errors(), (model or Config).model_json_schema()
    return [_describe(detail, document) for detail in details if not _follows(detail, details)]


def load(paths: Iterable[Path]) -> Config:
    """Read and check YAML files, later ones over earlier ones key by key, lists as a whole, as Snakemake does."""
    merged: dict[str, Any] = {}
    for path in paths:
        values = parsed(path)
        if not isinstance(values, dict):
            raise ConfigError([f"{path}: expected keys and values at the top level"])
        _merge(merged, values)
    return read(merged)


def parsed(path: Path) -> Any:
    """What a YAML or JSON file holds; raises ConfigError."""
    try:
        return documents.read(path)
    except documents.DocumentError as error:
        raise ConfigError([f"{path}: {error}"]) from None


def _merge(into: dict[str, Any], values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def schema() -> dict[str, Any]:
    """JSON schema (2020-12) of the configuration, for editors and for Snakemake's convention."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Config.model_json_schema()}


def _follows(detail: ErrorDetails, details: list[ErrorDetails]) -> bool:
    """Whether a list is called too short only because its items, or something in them, were refused."""
    place = detail["loc"]
    return detail["type"] == "too_short" and any(d["loc"][: len(place)] == place != d["loc"] for d in details)


def _describe(detail: ErrorDetails, document: dict[str, Any]) -> str:
    """One problem as `path: what is wrong (given: value)`."""
    path, allowed = _locate(detail["loc"], document)
    message, value = detail["msg"], detail["input"]
    if detail["type"] == "extra_forbidden":
        name = str(detail["loc"][-1])
        return f"{path}: unknown key: {suggest(name, allowed)}allowed are {', '.join(allowed)}"
    if detail["type"] == "missing":
        return f"{path}: this key is required"
    if isinstance(value, str) and detail["type"] in ("float_type", "int_type"):
        message += "; YAML reads this as text: write 0.001 or 1.0e-3, without quotes"
    if isinstance(value, BaseModel):
        return f"{path}: {message}"
    return f"{path}: {message} (given: {_shown(value)})"


def _shown(value: Any) -> str:
    """The start of a value as JSON, without unfolding the rest of it."""
    text = ""
    for part in json.JSONEncoder(default=str, ensure_ascii=False, skipkeys=True).iterencode(value):
        text += part
        if len(text) > LONGEST_SHOWN:
            return text[: LONGEST_SHOWN - 3] + "..."
    return text


def _locate(loc: tuple[int | str, ...], document: dict[str, Any]) -> tuple[str, list[str]]:
    """A readable path for an error's location, and the keys allowed where it points.

    The location also names the branch of a union that was tried (`activation.elu.alpha`), which is no key; the
    schema tells which parts are.
    """
    nodes, path, allowed = [document], "", list(document["properties"])
    for part in loc:
        nodes = [leaf for node in nodes for leaf in _alternatives(node, document)]
        allowed = list(dict.fromkeys(key for node in nodes for key in node.get("properties", {})))
        if isinstance(part, int):
            path += f"[{part}]"
            nodes = [node["items"] for node in nodes if "items" in node]
        elif any(_constant(node) == part for node in nodes) and part not in allowed:
            nodes = [node for node in nodes if _constant(node) == part]
        elif not part.startswith("function-"):
            path += f".{part}" if path else part
            steps = [node["properties"][part] for node in nodes if part in node.get("properties", {})]
            nodes = steps or [values for node in nodes for values in _any_key(node)]
    return path, allowed


def _any_key(node: dict[str, Any]) -> list[Any]:
    """What a mapping whose keys are free says of its values."""
    values = [*node.get("patternProperties", {}).values(), node.get("additionalProperties")]
    return [value for value in values if value]


def _alternatives(node: dict[str, Any], document: dict[str, Any]) -> list[dict[str, Any]]:
    if "$ref" in node:
        return _alternatives(document["$defs"][node["$ref"].rsplit("/", 1)[-1]], document)
    branches = node.get("anyOf") or node.get("oneOf")
    return [leaf for branch in branches for leaf in _alternatives(branch, document)] if branches else [node]


def _constant(node: dict[str, Any]) -> Any:
    return node.get("properties", {}).get("name", {}).get("const")
