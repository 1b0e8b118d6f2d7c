"""Whether a component keeps the protocol of its registry: what `trainability check module:Class` runs.

A check is a generator over the problems of one component, its title the first line of its docstring; the first problem
counts. Checks come in stages: the later ones take for granted what the earlier ones have seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainability import foreign
from trainability.activations import ACTIVATIONS
from trainability.component import Component, suggest
from trainability.conformance import activations, datasets, initializers, normalizations, preprocessings
from trainability.datasets import DATASETS, Dataset
from trainability.initializers import INITIALIZERS
from trainability.normalizations import NORMALIZATIONS
from trainability.preprocessing import PREPROCESSINGS
from trainability.registry import Registry

Check = Callable[[Any], Iterator[str]]

CHECKS: tuple[tuple[Registry[Any], tuple[tuple[Check, ...], ...]], ...] = (
    (ACTIVATIONS, activations.STAGES),
    (INITIALIZERS, initializers.STAGES),
    (NORMALIZATIONS, normalizations.STAGES),
    (PREPROCESSINGS, preprocessings.STAGES),
    (DATASETS, datasets.STAGES),
)


@dataclass(frozen=True)
class Result:
    """What one check found; no problem is an empty one."""

    title: str
    problem: str


def registries(name: str) -> list[Registry[Any]]:
    """The registries that `name` may be meant for; raises ForeignError if there is none."""
    known = [registry for registry, _ in CHECKS]
    if foreign.is_foreign(name):
        found = foreign.load(name)
        fitting = [r for r in known if isinstance(found, type) and r.base and issubclass(found, r.base)]
        bases = ", ".join(registry.base.__name__ for registry in known if registry.base)
        problem = f"{name} is no subclass of any of trainability.api: {bases}"
    else:
        fitting = [registry for registry in known if name in registry]
        hint = suggest(name, [entry for registry in known for entry in registry])
        problem = f"nothing is called {name}: {hint}classes of your own are named module:Class"
    if not fitting:
        raise foreign.ForeignError(problem)
    return fitting


def run(registry: Registry[Any], component: Component, source: Path | None = None) -> Iterator[Result]:
    """The results of a component's checks, up to the end of the first stage with a problem.

    `source` is the folder where the files of a data set are.
    """
    stages = next(stages for of, stages in CHECKS if of is registry)
    tried = datasets.Opened(component, source) if isinstance(component, Dataset) else component
    for stage in stages:
        results = [Result(_title(check), _problem(check, tried, type(component).__module__)) for check in stage]
        yield from results
        if any(result.problem for result in results):
            return


def _title(check: Check) -> str:
    return (check.__doc__ or "").partition("\n")[0].rstrip(".")


def _problem(check: Check, tried: Component | datasets.Opened, module: str) -> str:
    try:
        return next(check(tried), "")
    except Exception as error:  # whatever a component of somebody else's may do
        where = foreign.place(error, module)
        return f"{type(error).__name__}: {' '.join(str(error).split())}{where}"
