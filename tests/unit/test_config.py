"""The configuration: closed, typed, and every mistake named at once with the key, the value and what is allowed."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from trainability import config
from trainability.activations import ACTIVATIONS
from trainability.config import ConfigError

ROOT = Path(__file__).parents[2]
MINIMAL: dict[str, Any] = {
    "title": "A test",
    "seeds": 2,
    "learning_rates": [0.1],
    "studies": {"one": {"question": "Which?", "grid": {"activation": ["relu", "tanh"]}}},
}


def changed(*path: Any, to: Any) -> dict[str, Any]:
    """The minimal configuration with one value set, deep down."""
    values = copy.deepcopy(MINIMAL)
    place: Any = values
    for key in path[:-1]:
        place = place.setdefault(key, {}) if isinstance(place, dict) else place[key]
    place[path[-1]] = to
    return values


def problem(values: Any) -> str:
    """The one problem of a configuration."""
    with pytest.raises(ConfigError) as caught:
        config.read(values)
    assert len(caught.value.problems) == 1, caught.value.problems
    return caught.value.problems[0]


def test_minimal_configuration_is_enough() -> None:
    settings = config.read(MINIMAL)
    assert settings.seeds == (0, 1)
    assert settings.base.activation.name == "relu"


@pytest.mark.parametrize(
    "file", ["config.yaml", *(f"experiments/{p.name}" for p in (ROOT / "experiments").glob("*.yaml"))]
)
def test_shipped_configurations_are_valid(file: str) -> None:
    paths = dict.fromkeys([ROOT / "config.yaml", ROOT / file])
    assert config.load(paths).studies


def test_default_experiment_is_the_agreed_one() -> None:
    settings = config.load([ROOT / "config.yaml"])
    base = settings.base
    assert (base.depth, base.width, base.batch_size, base.epochs) == (5, 64, 32, 20)
    assert base.optimizer.model_dump() == {"name": "sgd", "momentum": 0.9, "nesterov": False, "weight_decay": 0.0}
    assert settings.seeds == tuple(range(8))
    assert settings.learning_rates == (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        (changed("titel", to="x"), ["titel: unknown key", "did you mean 'title'?"]),
        (
            changed("base", "activaton", to="relu"),
            ["base.activaton: unknown key", "did you mean 'activation'?"],
        ),
        (
            changed("base", "activation", to="rleu"),
            ["base.activation:", "did you mean 'relu'?", "sigmoid", '"rleu"'],
        ),
        (
            changed("base", "activation", to={"name": "elu", "alhpa": 1.0}),
            ["base.activation.alhpa: unknown key", "did you mean 'alpha'?"],
        ),
        (
            changed("base", "activation", to={"name": "elu", "alpha": -1.0}),
            ["base.activation.alpha:", "greater than 0", "-1.0"],
        ),
        (changed("base", "activation", to=3), ["base.activation:", "expected the name of one activation"]),
        (changed("base", "epochs", to=0), ["base.epochs:", "greater than or equal to 1", "0"]),
        (changed("base", "epochs", to=1.5), ["base.epochs:", "valid integer", "1.5"]),
        (changed("base", "dropout", to=1.0), ["base.dropout:", "less than 1"]),
        (changed("base", "bias", to=float("nan")), ["base.bias:", "finite"]),
        (changed("learning_rates", to=["1e-3"]), ["learning_rates[0]:", "write 0.001 or 1.0e-3"]),
        (changed("learning_rates", to=[]), ["learning_rates:", "at least 1"]),
        (changed("learning_rates", to=[0.1, 0.1]), ["learning_rates:", "0.1 repeated"]),
        (changed("seeds", to=[1, 1]), ["seeds:", "1 repeated"]),
        (changed("seeds", to=True), ["seeds:"]),
        (changed("targets", to=[90.0]), ["targets[0]:", "less than 1"]),
        (changed("studies", to={}), ["studies:", "at least 1"]),
        (changed("studies", "one", to=None), ["studies:", "every study is null"]),
        (changed("studies", "a study", to=MINIMAL["studies"]["one"]), ["studies.a study", "pattern"]),
        (changed("studies", "one", "grid", to={}), ["studies.one.grid:", "at least one factor"]),
        (
            changed("studies", "one", "grid", "activation", to=[]),
            ["studies.one.grid.activation:", "at least 1"],
        ),
        (
            changed("studies", "one", "grid", "activation", to=["relu", "rleu"]),
            ["studies.one.grid.activation[1]:", "did you mean 'relu'?"],
        ),
        (changed("studies", "one", "grid", "activation", to=["relu", {"name": "relu"}]), ["relu repeated"]),
        (
            changed("studies", "one", "grid", "activation", to=[{"name": "elu", "alhpa": 1.0}]),
            ["studies.one.grid.activation[0].alhpa: unknown key", "did you mean 'alpha'?"],
        ),
        (
            changed("studies", "one", "exclude", to=[{"when": "activatio == 'relu'", "reason": "x"}]),
            ["studies.one.exclude[0].when:", "did you mean 'activation'?"],
        ),
        (
            changed("studies", "one", "exclude", to=[{"when": "__import__('os')", "reason": "x"}]),
            ["studies.one.exclude[0].when:", "expected a comparison"],
        ),
        (
            changed("studies", "one", "exclude", to=[{"when": "depth == 5"}]),
            ["exclude[0].reason: this key is required"],
        ),
        (changed("sources", "fashion_mnits", to="x"), ["sources:", "did you mean 'fashion_mnist'?"]),
        (
            changed("base", "dataset", to={"name": "digits", "train_examples": 10**6}),
            ["base.dataset", "1152"],
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_mistake_is_named(values: dict[str, Any], parts: list[str]) -> None:
    message = problem(values)
    for part in parts:
        assert part in message


def test_all_mistakes_are_named_at_once() -> None:
    values = changed("base", "activation", to="rleu") | {"seeds": -1, "colour": "blue"}
    with pytest.raises(ConfigError) as caught:
        config.read(values)
    assert sorted(p.split(":")[0] for p in caught.value.problems) == ["base.activation", "colour", "seeds"]
    assert str(caught.value).startswith("the configuration has 3 problems:")


def test_schema_in_the_workflow_is_generated_from_the_models() -> None:
    """If this fails: trainability schema > workflow/schemas/config.schema.json"""
    path = ROOT / "workflow/schemas/config.schema.json"
    assert json.loads(path.read_text()) == config.schema()


def test_schema_knows_the_registries_names() -> None:
    names = json.dumps(config.schema()["$defs"]["Factors"]["properties"]["activation"])
    assert all(f'"{name}"' in names for name in ACTIVATIONS)


def test_later_files_go_over_earlier_ones(tmp_path: Path) -> None:
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text(yaml.safe_dump(MINIMAL | {"base": {"epochs": 7, "width": 9}}))
    second.write_text(yaml.safe_dump({"base": {"epochs": 3}, "learning_rates": [0.5, 0.2]}))
    settings = config.load([first, second])
    assert (settings.base.epochs, settings.base.width) == (3, 9)
    assert settings.learning_rates == (0.2, 0.5)


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("a: [", "not YAML"),
        ("- 1", "expected keys and values"),
        (b"\xff\xfe\x00", "not YAML"),
        ("!!python/object:os.x {}", "not YAML"),
    ],
)
def test_file_that_is_no_configuration_is_named(tmp_path: Path, content: str | bytes, part: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError, match=r"broken\.yaml") as caught:
        config.load([path])
    assert part in str(caught.value)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere.yaml: cannot be read"):
        config.load([tmp_path / "nowhere.yaml"])


def test_reading_a_plan_imports_neither_torch_nor_pandas() -> None:
    program = (
        "import sys; from trainability import config, plan, provenance, workers\n"
        "print([m for m in ('torch', 'pandas', 'scipy', 'matplotlib', 'sklearn') if m in sys.modules])"
    )
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"
