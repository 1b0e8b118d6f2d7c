"""A bit that is another: found by checksum wherever it lies, and named; nothing else is said to be damaged."""

from __future__ import annotations

import pytest
from disturbed import MADE, Finished, changed, finished, flipped

from trainability.operations import damage

SEEDS = range(6)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return finished(tmp_path_factory.getbasetemp())


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", MADE)
def test_a_flipped_bit_is_found(kind: str, seed: int, whole: Finished) -> None:
    path = whole.one(kind)
    with changed(path, lambda content: flipped(content, seed)):
        found = whole.damages()
    ((rule, _),) = found
    assert rule == MADE[kind].rule
    ((problem,),) = found.values()
    assert str(path) in problem


def test_what_is_made_from_a_damaged_file_is_said(whole: Finished) -> None:
    with changed(whole.one("data set"), lambda content: flipped(content, 2)):
        cells = whole.look()
        said = list(damage.lines(cells, damage.damages(cells)))
    assert said[0] == "damaged: data digits"
    assert said[2] == "  made from it: 2 cells, the tables, verdicts, figures and the report"
    assert said[-1].startswith("`trainability rerun --damaged` makes these again")
