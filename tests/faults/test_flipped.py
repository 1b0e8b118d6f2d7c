"""A bit that is another: found by checksum wherever it lies, and named; nothing else is said to be damaged."""

from __future__ import annotations

import pytest
from disturbed import MADE, PLAIN, RAW, Finished, changed, finished, flipped, outcome

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


def test_of_arrays_that_are_made_again_the_cells_are_trained_again_and_no_others(
    whole: Finished, tmp_path_factory: pytest.TempPathFactory
) -> None:
    copied = whole.copied(tmp_path_factory.mktemp("flipped"))
    path = copied.one("arrays")
    path.write_bytes(flipped(path.read_bytes(), 3))
    before = copied.stamps("cells/*/record.json")
    printed = copied.trainability("rerun", "--damaged")
    assert f"Made again, with all that is made from it: results/data/digits/{RAW}/preprocessing.json." in printed
    after = copied.stamps("cells/*/record.json")
    assert {path: before[path] == stamp for path, stamp in after.items()} == {
        path: f".{PLAIN}." in path for path in before
    }
    assert copied.damages() == {}
    assert outcome(copied.results) == outcome(whole.results)


def test_what_is_made_from_a_damaged_file_is_said(whole: Finished) -> None:
    from trainability.operations import damage

    with changed(whole.one("data set"), lambda content: flipped(content, 2)):
        cells = whole.look()
        said = list(damage.lines(cells, damage.damages(cells)))
    assert said[0] == "damaged: data digits"
    assert said[2] == "  made from it: 2 cells, the tables, verdicts, figures and the report"
    assert said[-1].startswith("`trainability rerun --damaged` makes these again")
