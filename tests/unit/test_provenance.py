"""Code fingerprints, seeds and registries."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from trainability import provenance, seeding
from trainability.activations import ACTIVATIONS
from trainability.provenance import code_fingerprint, dependencies
from trainability.registry import Component, Registry


def test_training_depends_on_its_modules_and_not_on_the_report() -> None:
    needed = dependencies("training") | dependencies("record")
    assert {"training", "network", "health", "activations", "initializers", "optimizers", "cell"} <= needed
    assert {"activations.base", "activations.smooth", "registry"} <= needed
    assert not {"report", "figures", "tables", "cli", "config", "plan", "statistics"} & needed


def test_data_depend_on_all_that_makes_them() -> None:
    sources = {"datasets", "splits", "synthetic", "generated", "raw_files", "raw_cifar", "seeding", "registry"}
    assert sources <= dependencies("datasets")
    assert sources | {"preprocessing", "maps", "moments"} <= dependencies("prepared")
    assert not {"prepared", "preprocessing", "cell"} & dependencies("datasets")
    assert not {"training", "cell", "plan", "figures"} & dependencies("prepared")


def test_dependencies_inside_functions_count() -> None:
    assert {"training", "tables", "figures", "report"} <= dependencies("cli")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.py").write_text("from trainability import b\n")
    (tmp_path / "b.py").write_text("def f():\n    from trainability.sub.c import x\n    import trainability.d\n")
    (tmp_path / "sub/__init__.py").write_text("")
    (tmp_path / "sub/c.py").write_text("x = 1\n")
    (tmp_path / "d.py").write_text("")
    (tmp_path / "e.py").write_text("")
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path)
    dependencies.cache_clear()
    return tmp_path


def test_fingerprint_changes_exactly_with_what_is_imported(package: Path) -> None:
    assert dependencies("a") == {"a", "b", "sub", "sub.c", "d"}
    before = code_fingerprint("a")
    (package / "e.py").write_text("changed = True\n")
    assert code_fingerprint("a") == before
    for name in ("a.py", "b.py", "sub/c.py", "d.py"):
        (package / name).write_text((package / name).read_text() + "# changed\n")
        after = code_fingerprint("a")
        assert after != before, name
        before = after


@pytest.fixture(autouse=True)
def forget() -> None:
    dependencies.cache_clear()


def test_unknown_module_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"no module trainability\.nowhere"):
        code_fingerprint("nowhere")


class TestSeeding:
    def test_same_seed_and_purpose_same_stream(self) -> None:
        np.random.seed(1)
        one = seeding.generator(3, "weights", 1).standard_normal(5)
        np.random.seed(2)
        np.testing.assert_array_equal(one, seeding.generator(3, "weights", 1).standard_normal(5))

    def test_any_difference_is_another_stream(self) -> None:
        streams = [
            (3, "weights", 1),
            (4, "weights", 1),
            (3, "batches", 1),
            (3, "weights", 2),
            (3, "weights", "1"),
        ]
        draws = {tuple(seeding.generator(*purpose).integers(2**60, size=2)) for purpose in streams}
        assert len(draws) == len(streams)

    def test_streams_are_pinned(self) -> None:
        """If this changes, every result changes."""
        assert seeding.generator(0, "weights", 1).integers(1000, size=4).tolist() == [555, 398, 470, 247]


class TestRegistry:
    def test_name_and_parameters_round_trip(self) -> None:
        elu = ACTIVATIONS.parse('{"name": "elu", "alpha": 0.5}')
        assert (elu.label, elu.slug) == ("elu(alpha=0.5)", "elu-alpha-0.5")
        assert ACTIVATIONS.parse(elu.model_dump_json()) == elu
        assert ACTIVATIONS.parse("elu").label == "elu"

    def test_slug_is_safe_in_a_path(self) -> None:
        class Odd(Component):
            name: Literal["odd"] = "odd"
            text: str = ""

        assert Odd(text="../a b;rm").slug == "odd-text-.._a_b_rm-bace86"

    def test_slugs_of_different_components_differ(self) -> None:
        class Odd(Component):
            name: Literal["odd"] = "odd"
            text: str = ""
            number: float = 0.0

        texts = ["a/b", "a_b", "a:b", "x" * 300, "x" * 300 + "y"]
        odd = [*(Odd(text=text) for text in texts), *(Odd(number=0.1 + n / 10**9) for n in range(3))]
        assert len({one.slug for one in odd}) == len({one.label for one in odd}) == len(odd)
        assert all(len(one.slug) <= 44 for one in odd)

    def test_name_is_registered_once(self) -> None:
        registry: Registry[Component] = Registry("thing")

        class One(Component):
            name: Literal["one"] = "one"

        registry.register(One)
        with pytest.raises(ValueError, match="'one' is registered twice"):
            registry.register(One)
