"""The cells of an experiment with what there is of each, and how to pick some of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from trainability import plan, progress, record
from trainability.cell import Cell
from trainability.component import suggest
from trainability.config import Config
from trainability.operations import KINDS, OperationError
from trainability.plan import Plan
from trainability.progress import DAMAGED, FAILED, OUTDATED, STOPPED, WAITING, Progress
from trainability.record import Record

DONE, DIVERGED = "done", "diverged"
STATES = (DONE, *progress.STATES)


# The states of the KINDS that options pick by; `diverged` cells are done.
STATES_OF: Mapping[str, tuple[str, ...]] = {
    "failed": (FAILED, STOPPED),
    "diverged": (DIVERGED,),
    "missing": (WAITING, FAILED, STOPPED),
    "outdated": (OUTDATED,),
    "damaged": (DAMAGED,),
}


class SelectionError(OperationError):
    """No cell is meant, or one that is not there; the message says what there is and how to list it."""


@dataclass(frozen=True)
class Cells:
    """An experiment's cells at one moment."""

    settings: Config
    plan: Plan
    results: Path
    progress: Progress
    records: Mapping[str, Record]  # of the cells that are done

    @classmethod
    def look(cls, settings: Config, results: Path, read: Callable[[Path], Record] = record.read) -> Cells:
        """What there is of an experiment in a folder of results; nothing is written."""
        planned = plan.make_plan(settings)
        return cls(settings, planned, results, *progress.survey(settings, planned, results, read))

    @property
    def trained(self) -> dict[str, Cell]:
        """The cells that the experiment trains, by key."""
        return plan.included(self.plan)

    def state(self, key: str) -> str:
        """One of STATES."""
        return self.progress.cells.get(key, DONE)

    def diverged(self, key: str) -> bool:
        """Whether a cell is done and a run at its chosen learning rate diverged."""
        found = self.records.get(key)
        return found is not None and any(run["selected"] and run["status"] == DIVERGED for run in found.content["runs"])

    def folder(self, key: str) -> Path:
        """Where a cell's record is, or will be."""
        return self.results / "cells" / key

    def summary(self, keys: Iterable[str]) -> str:
        """`5 done (1 diverged), 2 waiting`."""
        keys = list(keys)
        states = Counter(map(self.state, keys))
        diverged = sum(map(self.diverged, keys))
        notes = {DONE: f" ({diverged} diverged)" if diverged else ""}
        return ", ".join(f"{states[state]:,} {state}{notes.get(state, '')}" for state in STATES if states[state])

    def named(self, keys: Iterable[str]) -> list[str]:
        """These keys; raises SelectionError where one is no cell that this experiment trains."""
        keys, trained = list(dict.fromkeys(keys)), self.trained
        for key in keys:
            if key not in trained:
                why = f"is left out of this experiment ({self.plan[key].reason})" if key in self.plan else ""
                why = why or f"is no cell of this experiment: {suggest(key, trained)}`trainability cells` lists them"
                raise SelectionError(f"{key} {why}")
        return keys

    def select(self, expression: str | None, kinds: Collection[str] = ()) -> list[str]:
        """The cells of `matching`, one at least; raises SelectionError."""
        chosen = self.matching(expression, kinds)
        if not chosen:
            raise SelectionError(self._nothing(expression, kinds))
        return chosen

    def matching(self, expression: str | None, kinds: Collection[str] = ()) -> list[str]:
        """Keys of the trained cells that satisfy an expression and are of one of the KINDS."""
        states = {state for kind in kinds for state in STATES_OF[kind]}
        return [
            key
            for key in plan.included(self._meant(expression))
            if not kinds or self.state(key) in states or (DIVERGED in states and self.diverged(key))
        ]

    def _meant(self, expression: str | None) -> Plan:
        return plan.select(self.plan, expression) if expression else self.plan

    def _nothing(self, expression: str | None, kinds: Collection[str]) -> str:
        meant = self._meant(expression)
        trained = plan.included(meant)
        what = f"`{expression}` matches" if expression else "this experiment has"
        if not meant:
            found = f"{what} none of the {len(self.plan):,} cells"
        elif not trained:
            found = f"{what} {len(meant):,} cells, all of them left out of this experiment"
        else:
            wanted = " or ".join(f"--{kind} (cells {KINDS[kind]})" for kind in kinds)
            found = f"{what} {len(trained):,} cells ({self.summary(trained)}), and none is {wanted}"
        return f"no cell to work on: {found}. `trainability status --cells` lists all cells with their states."
