"""Components of one's own: found by module and class, checked before any job, known by their source."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from trainability import cli, config, foreign, plan
from trainability.activations import ACTIVATIONS
from trainability.cell import Cell
from trainability.config import ConfigError

ACTIVATION = """
from typing import Annotated
from pydantic import Field
from trainability.api import Activation

class Line(Activation):
    a: Annotated[float, Field(gt=0, le=10)] = 1.0
    knots: tuple[float, ...] = ()

    def value(self, z, *learned):
        return self.a * z

    def derivative(self, z, *learned):
        return self.a + 0 * z
"""
PACKAGES = itertools.count()


class Package:
    """A package of the user's in the working directory, of a name that no other test imports."""

    def __init__(self, folder: Path) -> None:
        self.name = f"lab{next(PACKAGES)}"
        self.folder = folder / self.name
        self.folder.mkdir()
        self.write("__init__", "")

    def write(self, module: str, text: str) -> str:
        """Write a module; return its full name."""
        (self.folder / f"{module}.py").write_text(text)
        return f"{self.name}.{module}"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Package]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(foreign, "_first_read", {})
    package = Package(tmp_path)
    yield package
    forget(package)


def forget(package: Package) -> None:
    """As in a new process, the package is not imported and its files were never read."""
    for name in [name for name in sys.modules if name.partition(".")[0] == package.name]:
        del sys.modules[name]
    foreign._first_read.clear()


@pytest.fixture
def line(package: Package) -> str:
    return f"{package.write('acts', ACTIVATION)}:Line"


def experiment(*activations: Any, **grid: Any) -> dict[str, Any]:
    return {
        "title": "A test",
        "seeds": 1,
        "learning_rates": [0.1],
        "studies": {"one": {"question": "Which?", "grid": {"activation": list(activations), **grid}}},
    }


def problems(*activations: Any, **grid: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        config.read(experiment(*activations, **grid))
    return caught.value.problems


class TestIdentity:
    def test_name_and_parameters_make_a_cell(self, line: str) -> None:
        planned = plan.make_plan(config.read(experiment("relu", line, {"name": line, "a": 0.5})))
        labels = [entry.cell.labels["activation"] for entry in planned.values()]
        assert labels == ["relu", line, f"{line}(a=0.5)"]
        assert [key.split(".kaiming")[0] for key in planned] == [
            "digits.standardize.relu",
            f"digits.standardize.{line.replace(':', '-')}",
            f"digits.standardize.{line.replace(':', '-')}-a-0.5",
        ]
        assert not any("/" in key or ":" in key for key in planned)

    def test_json_gives_the_same_cells_back(self, line: str) -> None:
        settings = config.read(experiment({"name": line, "a": 2, "knots": [1, 2]}))
        again = config.read(json.loads(settings.model_dump_json()))
        assert again == settings
        (cell,) = plan.included(plan.make_plan(settings)).values()
        assert Cell.from_canonical(cell.canonical) == cell
        assert cell.activation.model_dump(exclude={"fingerprint"}) == {"name": line, "a": 2.0, "knots": (1.0, 2.0)}
        assert ACTIVATIONS.parse(cell.activation.model_dump_json()) == cell.activation

    def test_expressions_know_it_by_its_name(self, line: str) -> None:
        planned = plan.make_plan(config.read(experiment("relu", line)))
        assert len(plan.select(planned, f"activation == '{line}'")) == 1

    def test_source_is_part_of_the_identity(self, package: Package, line: str) -> None:
        (before,) = plan.make_plan(config.read(experiment(line)))
        forget(package)
        assert [before] == list(plan.make_plan(config.read(experiment(line))))
        forget(package)
        package.write("acts", ACTIVATION + "\n# changed\n")
        (after,) = plan.make_plan(config.read(experiment(line)))
        assert before.rpartition("-")[0] == after.rpartition("-")[0]
        assert before != after

    def test_fingerprint_covers_what_is_imported_of_ones_own(self, package: Package, tmp_path: Path) -> None:
        package.write("deep", "SCALE = 1.0\n")
        package.write("helper", "from .deep import SCALE\n")
        package.write("lazy", "")
        package.write("idle", "")
        beside = tmp_path / f"{package.name}_beside.py"
        beside.write_text("")
        text = f"from . import helper\nimport {beside.stem}, json, numpy\ndef f():\n    import {package.name}.lazy\n"
        name = package.write("acts", text + ACTIVATION)

        def fingerprint() -> str:
            forget(package)
            sys.modules.pop(beside.stem, None)
            return ACTIVATIONS.parse(f"{name}:Line").model_dump()["fingerprint"]

        before = fingerprint()
        (package.folder / "idle.py").write_text("changed = True\n")
        assert fingerprint() == before
        for path in [*(package.folder / f"{m}.py" for m in ("__init__", "deep", "helper", "lazy", "acts")), beside]:
            path.write_text(path.read_text() + "\n# changed\n")
            after = fingerprint()
            assert after != before, path
            before = after
        sys.modules.pop(beside.stem, None)

    def test_base_class_elsewhere_is_part_of_the_source(self, package: Package, tmp_path: Path) -> None:
        other = Package(tmp_path)
        base = other.write("acts", ACTIVATION)
        name = package.write("mine", f"from {base} import Line\nclass Mine(Line):\n    pass\n")
        before = ACTIVATIONS.parse(f"{name}:Mine").model_dump()["fingerprint"]
        other.write("acts", ACTIVATION + "\n# changed\n")
        forget(package)
        forget(other)
        assert ACTIVATIONS.parse(f"{name}:Mine").model_dump()["fingerprint"] != before
        forget(other)


class TestChangedSource:
    def test_other_source_than_planned_is_refused(self, package: Package, line: str) -> None:
        """A worker that imports the module after it was edited would train something else."""
        (cell,) = plan.included(plan.make_plan(config.read(experiment(line)))).values()
        package.write("acts", ACTIVATION + "\n# changed\n")
        forget(package)
        with pytest.raises(ValueError, match=f"{line} was changed: its source is"):
            Cell.from_canonical(cell.canonical)

    def test_change_under_an_imported_module_is_refused(self, package: Package, line: str) -> None:
        """A warm worker has the old module: neither that nor the file's new text may pass for the other."""
        (cell,) = plan.included(plan.make_plan(config.read(experiment(line)))).values()
        path = package.folder / "acts.py"
        path.write_text(path.read_text() + "\n# changed\n")
        with pytest.raises(ValueError, match=rf"{package.name}/acts\.py was changed while it was in use"):
            Cell.from_canonical(cell.canonical)

    def test_step_of_the_workflow_says_so(
        self, package: Package, line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (cell,) = plan.included(plan.make_plan(config.read(experiment(line)))).values()
        package.write("acts", ACTIVATION + "\n# changed\n")
        forget(package)
        words = ["train", "--cell", cell.canonical, "--data", "x", "--device", "cpu", "--spare", ""]
        words += ["--out", str(tmp_path)]
        assert cli.main(words) == 2
        assert f"activation.fingerprint: {line} was changed" in capsys.readouterr().err

    def test_edit_within_a_second_is_seen(self, package: Package) -> None:
        """Compiled files know their source by its size and whole seconds: none may be left behind."""
        for number in (1.0, 2.0):
            name = package.write("acts", ACTIVATION.replace("= 1.0", f"= {number}"))
            assert ACTIVATIONS.parse(f"{name}:Line").model_dump()["a"] == number
            forget(package)
        assert not list(package.folder.glob("__pycache__"))


BROKEN: dict[str, tuple[str, str, str]] = {
    "raises": ("x = 1\ny = 1 / 0\n", "x", "raised ZeroDivisionError: division by zero, at {package}/broken.py:2"),
    "exits": ("import sys\nsys.exit(3)\n", "x", "raised SystemExit: 3, at {package}/broken.py:2"),
    "syntax": ("def f(:\n", "x", "raised SyntaxError: invalid syntax"),
    "imports": ("import nowhere_at_all\n", "x", "raised ModuleNotFoundError: No module named 'nowhere_at_all'"),
    "near name": (ACTIVATION, "line", "has no line; did you mean Line?"),
    "function": ("def f(): ...\n", "f", "is no class but of type function"),
    "other class": ("class A: ...\n", "A", "is not a subclass of trainability.api.Activation"),
    "base itself": (ACTIVATION, "Activation", "is not a subclass of trainability.api.Activation"),
    "other registry": (
        "from trainability.api import Initializer\nclass A(Initializer): ...\n",
        "A",
        "is not a subclass of trainability.api.Activation",
    ),
    "abstract": (
        "from trainability.api import Activation\nclass A(Activation):\n    def value(self, z): return z\n",
        "A",
        "does not define derivative",
    ),
    "taken name": (ACTIVATION.replace("knots", "fingerprint"), "Line", "has a parameter called fingerprint"),
    "validator": (
        ACTIVATION + "\n    def model_post_init(self, context):\n        self.a / 0\n",
        "Line",
        "raised ZeroDivisionError: float division by zero, at {package}/broken.py:17",
    ),
    "not JSON": (
        ACTIVATION.replace("knots: tuple[float, ...] = ()", "knots: type = int"),
        "Line",
        "Unable to serialize",
    ),
    "not the same": (
        ACTIVATION + "\n    def model_post_init(self, context):\n        object.__setattr__(self, 'a', self.a + 1)\n",
        "Line",
        "not the same once written as JSON",
    ),
}


class TestMessages:
    @pytest.mark.parametrize("case", BROKEN)
    def test_component_that_cannot_be_used_is_named_with_the_reason(self, package: Package, case: str) -> None:
        text, attribute, reason = BROKEN[case]
        name = package.write("broken", text)
        (message,) = problems("relu", f"{name}:{attribute}")
        assert message.startswith("studies.one.grid.activation[1]: ")
        assert reason.format(package=package.name) in message
        assert name in message

    def test_missing_module_says_where_it_was_looked_for(self, package: Package) -> None:
        (message,) = problems("nolab.acts:X")
        assert f"there is no module nolab, neither installed nor in {Path.cwd()}" in message
        (message,) = problems(f"{package.name}.acts:X")
        assert f"there is no module {package.name}.acts" in message

    @pytest.mark.parametrize("name", [":", "a:", ":b", "a/b:c", "../a:b", "a:b:c", "a:b.c", "a b:c", "a.:b"])
    def test_what_is_no_name_is_never_imported(self, package: Package, name: str) -> None:
        (message,) = problems(name)
        assert "expected a module and a class in it" in message

    def test_shadowed_property_is_refused(self, package: Package) -> None:
        """It would be ignored: a property of the base class goes before a field."""
        name = package.write("acts", ACTIVATION.replace("a: Annotated", "steepest: Annotated"))
        with pytest.warns(UserWarning, match='"steepest" in "Line" shadows'):
            (message,) = problems(f"{name}:Line")
        assert "has a parameter called steepest, which means something else in every Activation" in message

    @pytest.mark.parametrize(
        ("parameters", "message"),
        [
            ({"knot": [1.0]}, ".knot: no parameter of {line}: did you mean 'knots'? allowed are a, knots"),
            ({"a": 11.0}, ".a: Input should be less than or equal to 10 (given: 11.0)"),
            ({"a": "1e-3"}, ".a: Input should be a valid number; YAML reads this as text"),
            ({"a": float("nan")}, ".a: Input should be a finite number"),
            ({"knots": [1.0, "x"]}, ".knots[1]: Input should be a valid number"),
            ({"knots": {1, 2}}, ": parameters must be JSON: Object of type set"),
            ({"fingerprint": "0" * 16}, ".fingerprint: {line} was changed"),
        ],
    )
    def test_wrong_parameter_is_named(self, line: str, parameters: dict[str, Any], message: str) -> None:
        (found,) = problems({"name": line, **parameters})
        assert found.startswith("studies.one.grid.activation[0]" + message.format(line=line))

    def test_all_problems_come_at_once(self, line: str) -> None:
        found = problems({"name": line, "a": 0.0, "b": 1}, "nolab:X", "rleu", init=["nolab:X"], depth=[0])
        places = [message.split(": ")[0].removeprefix("studies.one.grid.") for message in found]
        assert places == ["activation[0].a", "activation[0].b", "activation[1]", "activation[2]", "init[0]", "depth[0]"]

    def test_optimisers_are_those_of_the_registry(self, line: str) -> None:
        (message,) = problems("relu", optimizer=[line])
        assert "no optimiser is called" in message

    def test_folder_of_a_foreign_data_set_is_named_by_its_class(self, package: Package) -> None:
        name = package.write("own", REGISTRIES["dataset"][0]) + ":Own"
        assert config.read(experiment("relu") | {"sources": {name: "folder"}}).sources == {name: "folder"}

    def test_folder_of_a_foreign_data_set_needs_its_class(self, line: str) -> None:
        with pytest.raises(ConfigError, match="sources: there is no module nolab"):
            config.read(experiment("relu") | {"sources": {"nolab:X": "folder"}})


def test_working_directory_hides_no_library(package: Package, tmp_path: Path) -> None:
    """A file there that is called like an installed module is not the one that is imported."""
    (tmp_path / "numpy.py").write_text("1 / 0\n")
    assert foreign.load("numpy.linalg:LinAlgError").__name__ == "LinAlgError"
    assert sys.path[-1] == str(tmp_path)


def test_planning_with_a_foreign_component_imports_no_torch(line: str) -> None:
    program = (
        "import json, sys; from trainability import config, plan\n"
        "plan.make_plan(config.read(json.loads(sys.argv[1])))\n"
        "print([m for m in ('torch', 'pandas', 'scipy') if m in sys.modules])"
    )
    words = [sys.executable, "-W", "error", "-c", program, json.dumps(experiment(line))]
    printed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"


REGISTRIES: dict[str, tuple[str, str, Callable[[Any], Any]]] = {
    "init": (
        "from trainability.api import Initializer\nclass Own(Initializer):\n"
        "    def draw(self, noise, fan_out, negative_slope=0.0):\n        return 0.1 * noise\n",
        "init",
        lambda cell: cell.init,
    ),
    "preprocessing": (
        "import numpy as np\nfrom trainability.api import Map, Preprocessing\nclass Own(Preprocessing):\n"
        "    def fit(self, train, levels, channels=1):\n"
        "        return Map(train.mean(0), scale=np.ones(train.shape[1]))\n",
        "preprocessing",
        lambda cell: cell.preprocessing,
    ),
    "normalization": (
        "from trainability.normalizations import BatchNorm\nclass Own(BatchNorm):\n    eps: float = 0.5\n",
        "normalization",
        lambda cell: cell.normalization,
    ),
    "dataset": (
        "from trainability.datasets import Digits\nclass Own(Digits):\n    validation_examples: int = 100\n",
        "dataset",
        lambda cell: cell.dataset,
    ),
}


@pytest.mark.parametrize("factor", REGISTRIES)
def test_every_registry_takes_foreign_classes(package: Package, factor: str) -> None:
    text, factor, of = REGISTRIES[factor]
    name = f"{package.write('own', text)}:Own"
    settings = config.read(experiment("relu", **{factor: [name]}))
    (cell,) = plan.included(plan.make_plan(settings)).values()
    assert of(Cell.from_canonical(cell.canonical)).label == name
