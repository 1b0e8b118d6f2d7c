"""Statements as data: what is claimed, by whom, and what in an experiment decides it.

`report/claims.yaml` holds those of the lecture; a configuration can add files of its own. Files are checked against
these models and against the plan before anything runs: a typo in a selector, a metric or a study is an error.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from trainability.cell import FACTORS, Closed
from trainability.claims.evidence import EVIDENCE, RATE, Evidence, names
from trainability.claims.metrics import METRICS, Metric
from trainability.claims.published import Published
from trainability.claims.verdicts import RULES, Rule
from trainability.config import LONGEST_SHOWN, Config, ConfigError, parsed, problems
from trainability.expressions import Expression, ExpressionError
from trainability.plan import Plan
from trainability.registry import suggest

TEXTBOOK = Path(__file__).parents[3] / "report" / "claims.yaml"  # the statements of the lecture
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Id = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,63}$")]
if TYPE_CHECKING:  # a type checker cannot follow the unions that the registries build at run time
    OneEvidence = Evidence
    OneRule = Rule
else:
    OneEvidence = EVIDENCE.field
    OneRule = RULES.field


class Claim(Closed):
    """One statement and how it is judged."""

    id: Id
    statement: Line
    source: Line
    family: Id = Field(description="Claims that are corrected together for their number.")
    study: str = Field(default="", description="The study whose cells decide; or an analysis.")
    analysis: str = Field(default="", description="The analysis whose table decides; or a study.")
    metric: Line = Field(description="A metric of runs, or a column of the analysis' table.")
    expect: Literal["higher", "lower", "either"] = Field(description="Where the claim says the effect lies.")
    evidence: OneEvidence
    rule: OneRule
    seeds: int = Field(default=5, ge=2, description="With fewer seeds (or rounds) the verdict is inconclusive.")
    scale: Literal["difference", "share", "ratio"] = Field(
        default="difference", description="Of a column of an analysis; a share is a difference shown in per cent."
    )
    unit: Literal["seed", "round", "trial"] = Field(default="seed", description="What pairs the rows of an analysis.")
    settings: list[str] = Field(default=[], description="Columns of an analysis that make up a setting.")
    elsewhere: str = Field(default="", description="Why an experiment without the study or analysis says nothing.")
    published: Published | None = Field(default=None, description="What the source reports; ours is shown beside it.")
    note: str = ""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if bool(self.study) == bool(self.analysis):
            raise PydanticCustomError("study_or_analysis", "give `study` or `analysis`, and one only")
        if self.study and self.metric not in METRICS:
            raise PydanticCustomError(
                "unknown_metric",
                "no metric is called {name}: {suggestion}known are {allowed}",
                {"name": self.metric, "suggestion": suggest(self.metric, METRICS), "allowed": ", ".join(METRICS)},
            )
        if (self.expect == "either") != (self.rule.name == "equivalent"):
            raise PydanticCustomError("expect", "`expect: either` belongs to the rule `equivalent`, and to no other")
        return self

    @model_validator(mode="after")
    def _published_on_the_same_scale(self) -> Self:
        wanted = "value" if self.evidence.absolute else "by" if self.measure.scale == "difference" else "factor"
        for figure in self.published.figures if self.published else ():
            if figure.kind != wanted:
                raise PydanticCustomError(
                    "published_scale",
                    "a published figure is given as `{wanted}` here, as the effect is, not as `{given}`",
                    {"wanted": wanted, "given": figure.kind},
                )
        return self

    @property
    def factors(self) -> tuple[str, ...]:
        """The columns that rows are told apart by, beside the unit: those that expressions may name."""
        if self.study:
            return (*FACTORS, RATE) if self.evidence.every_rate else FACTORS
        return tuple(dict.fromkeys((*names(self.evidence.where), *self.settings, *self.evidence.free)))

    @property
    def measure(self) -> Metric:
        """How the metric's values are compared."""
        if self.study:
            return METRICS[self.metric]
        title, share = self.metric.replace("_", " "), self.scale == "share"
        return Metric(title, "ratio" if self.scale == "ratio" else "difference", share=share)


class Claims(Closed):
    """A file of claims."""

    claims: list[Claim] = Field(min_length=1)


def load(paths: Iterable[Path]) -> list[Claim]:
    """The claims of several files; raises ConfigError with every mistake in them."""
    return [claim for claim, _ in _with_files(paths)]


def _with_files(paths: Iterable[Path]) -> list[tuple[Claim, Path]]:
    """The claims of several files, each with its own; no two of one name."""
    found: dict[str, tuple[Claim, Path]] = {}
    for path in paths:
        for claim in _read(path).claims:
            if claim.id in found:
                raise ConfigError([f"{path}: claim {claim.id} is defined twice"])
            found[claim.id] = claim, path
    return list(found.values())


def _read(path: Path) -> Claims:
    values = parsed(path)
    try:
        return Claims.model_validate(values)
    except ValidationError as error:
        raise ConfigError([f"{path}: {_named(values, problem)}" for problem in problems(error, Claims)]) from None


def _named(values: Any, problem: str) -> str:
    """A problem with the claim's id in place of its number."""
    listed = values.get("claims") if isinstance(values, dict) else None
    for index, claim in enumerate(listed if isinstance(listed, list) else []):
        place = f"claims[{index}]."
        name = claim.get("id") if isinstance(claim, Mapping) else None
        if isinstance(name, str) and name and len(name) <= LONGEST_SHOWN and problem.startswith(place):
            return f"{name}.{problem.removeprefix(place)}"
    return problem


def gather(settings: Config, plan: Plan, textbook: Path = TEXTBOOK) -> list[Claim]:
    """The textbook's claims and those of a configuration's own files, checked; raises ConfigError.

    The textbook's were written for the default experiment: one that asks for cells which another experiment's study
    of the same name does not have is not testable there. A claim of the user's own must find its cells.
    """
    found = _with_files([textbook, *map(Path, settings.claims)])
    check([claim for claim, path in found if path != textbook], settings, plan)
    return [claim for claim, _ in found]


def check(claims: Iterable[Claim], settings: Config, plan: Plan) -> None:
    """Refuse claims that ask for cells that their study does not have; raises ConfigError with all of them."""
    found = [f"claim {claim.id}: {problem}" for claim in claims for problem in _unanswerable(claim, settings, plan)]
    if found:
        raise ConfigError(found)


def _unanswerable(claim: Claim, settings: Config, plan: Plan) -> Iterator[str]:
    if not testable(claim, settings):
        yield from _misspelt(claim, settings)
        return
    labels: list[dict[str, Any]] = [entry.cell.labels for entry in plan.values() if claim.study in entry.studies]
    if claim.evidence.every_rate:
        labels = [label | {RATE: rate} for label in labels for rate in settings.learning_rates]
    published = [figure.where for figure in claim.published.figures if figure.where] if claim.published else []
    for text in (*claim.evidence.sides, *published):
        try:
            expression = Expression(text, claim.factors)
            if claim.study and not any(expression(label) for label in labels):
                yield f"no cell of study {claim.study} satisfies `{text}`"
        except ExpressionError as error:
            yield str(error)


def _misspelt(claim: Claim, settings: Config) -> Iterator[str]:
    """What looks like a study or an analysis of this experiment, unless `elsewhere` says that it is another one's."""
    noun, name, known = (
        ("study", claim.study, settings.studies) if claim.study else ("analysis", claim.analysis, settings.analyses)
    )
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.85)
    if name not in known and near and not claim.elsewhere:
        yield f"no {noun} is called {name}: did you mean '{near[0]}'? If not, say with `elsewhere` where it is"


def testable(claim: Claim, settings: Config) -> bool:
    """Whether the experiment has the study or the analysis that decides a claim."""
    if claim.study:
        return settings.studies.get(claim.study) is not None
    return settings.analyses.get(claim.analysis) is not None
