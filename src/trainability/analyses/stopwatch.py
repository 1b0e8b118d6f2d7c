"""Times that can be compared: short bursts of calls, interleaved round by round in a random order.

What else the machine does, and how fast its clock runs, changes over seconds. Programs that are compared follow each
other within milliseconds, so that their ratio within a round hardly sees it; the order changes every round, so that no
program always follows the same one.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from trainability.analyses.base import Row

LEAST = 200e-6  # seconds a burst takes at least: a clock's resolution and a call's start are nothing beside it
BURSTS = 3  # of one measurement; the shortest counts, since disturbances only ever add
WARM_UP = 0.02  # seconds each program runs before the first round


@dataclass(frozen=True)
class Program:
    """What is timed, the columns that tell it from the others, and its context, which is entered outside the time."""

    labels: Mapping[str, Any]
    call: Callable[[], object]
    context: Callable[[], AbstractContextManager[object]]
    costs: Mapping[str, int] = field(default_factory=dict)  # more columns, that tell no program from another

    def seconds(self, calls: int) -> float:
        """What the shortest of some bursts of so many calls takes."""
        return min(self._burst(calls) for _ in range(BURSTS))

    def _burst(self, calls: int) -> float:
        call = self.call
        with self.context():
            start = time.perf_counter()
            for _ in range(calls):
                call()
            return time.perf_counter() - start


def compare(
    programs: Iterable[Program], baseline: Mapping[str, Any], rounds: int, rng: np.random.Generator
) -> list[Row]:
    """Measure every program once a round: a row each, in the order of measurement.

    A row has the program's labels and costs, the `round`, the `calls` of a burst, the `seconds` of one call (the mean
    within the shortest burst), and their `ratio` to the baseline's: the program that has the labels `baseline` and
    shares all others. Programs with one baseline are measured next to each other.
    """
    groups: dict[tuple[Any, ...], list[tuple[Program, int]]] = {}
    for program in programs:
        shared = tuple(value for key, value in program.labels.items() if key not in baseline)
        groups.setdefault(shared, []).append((program, _calls(program)))
    rows: list[Row] = []
    collecting = gc.isenabled()
    gc.disable()
    try:
        for number in range(rounds):
            for place in rng.permutation(len(groups)):
                group = list(groups.values())[place]
                rows += _round([group[which] for which in rng.permutation(len(group))], baseline, number)
    finally:
        if collecting:
            gc.enable()
    return rows


def _round(programs: list[tuple[Program, int]], baseline: Mapping[str, Any], number: int) -> list[Row]:
    rows = [
        {**program.labels, **program.costs, "round": number, "calls": calls, "seconds": program.seconds(calls) / calls}
        for program, calls in programs
    ]
    base = next(row["seconds"] for row in rows if baseline.items() <= row.items())
    return [row | {"ratio": row["seconds"] / base} for row in rows]


def _calls(program: Program) -> int:
    """Warm up, and find how many calls make a burst."""
    calls, spent = 1, 0.0
    while True:
        seconds = program.seconds(calls)
        spent += BURSTS * seconds
        if seconds < 2.0 * LEAST:  # twice, for the processor may yet become faster
            calls *= 2
        elif spent >= WARM_UP:
            return calls
