"""Whatever comes in, there is a result or the documented error, and no other exception."""

from __future__ import annotations

import contextlib
import copy
import functools
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import real_formats as real
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from report_sample import Sample
from sealing import seal

from trainability import claims, config, datasets, documents, files, notes, plan, prepared, raw_cifar, raw_files, record
from trainability.cell import FACTORS
from trainability.config import ConfigError
from trainability.expressions import Expression, ExpressionError
from trainability.files import CorruptFileError

# The same examples every time, so that a failure is never a matter of luck; `HYPOTHESIS_SEED`s are for the curious.
small = functools.partial(
    settings,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(
        ["relu", "digits", "1e-3", "../x", "a:B", "json:dumps", "\ud800", "\x00", "{x}", "depth > 1", 10**400]
    ),
)
KEYS = st.one_of(
    st.text(max_size=8), st.sampled_from(["name", "depth", "activation", "grid", "when", "alpha", "studies"])
)
JUNK = st.recursive(
    SCALARS, lambda some: st.lists(some, max_size=3) | st.dictionaries(KEYS, some, max_size=3), max_leaves=6
)

CONFIG: dict[str, Any] = {
    "title": "A test",
    "base": {
        "dataset": {"name": "gaussians", "features": 8, "classes": 3},
        "preprocessing": {"name": "pca", "components": 4},
        "activation": {"name": "elu", "alpha": 1.0},
        "optimizer": {"name": "sgd", "momentum": 0.9},
        "schedule": {"name": "cosine", "warmup": 0.1},
        "depth": 2,
        "width": 8,
        "bias": 0.0,
    },
    "seeds": [0, 1],
    "learning_rates": [0.1, 0.2],
    "device": "cpu",
    "targets": [0.5],
    "studies": {
        "one": {
            "question": "Which?",
            "grid": {"activation": ["relu", {"name": "leaky_relu", "slope": 0.1}], "depth": [1, 2]},
            "overrides": {"init": "xavier_normal"},
            "exclude": [{"when": "activation == 'relu' and depth > 1", "reason": "enough"}],
        }
    },
    "analyses": {"births": {"name": "born_dead", "depths": [2], "widths": [2], "rounds": 1, "trials": 2}},
    "claims": [],
    "sources": {"mnist": "/nowhere"},
}
CLAIMS: dict[str, Any] = {
    "claims": [
        {
            "id": "wins",
            "statement": "tanh wins.",
            "source": "a test",
            "family": "one",
            "study": "one",
            "metric": "test_accuracy",
            "expect": "higher",
            "evidence": {"name": "contrast", "where": "depth > 0", "treatment": "depth == 2", "control": "depth == 1"},
            "rule": {"name": "exceeds", "by": 0.01, "why": "a point"},
            "published": {"says": "so", "figures": [{"by": 0.1, "where": "depth == 2"}]},
        },
        {
            "id": "births",
            "statement": "Most are born dead.",
            "source": "a test",
            "family": "one",
            "analysis": "births",
            "metric": "share",
            "expect": "higher",
            "evidence": {"name": "level", "where": "depth > 1"},
            "rule": {"name": "exceeds", "by": 0.01, "why": "a point"},
            "settings": ["depth"],
        },
    ]
}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something in a nested value could be replaced."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield (*path, key)
        yield from places(part, (*path, key))


@st.composite
def spoilt(draw: st.DrawFn, good: Any) -> Any:
    """A nested value with up to three of its parts replaced, removed, or entered under another key."""
    value = copy.deepcopy(good)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(list(places(value)) or [()]))
        if not path:
            return draw(JUNK)
        inside = functools.reduce(lambda part, key: part[key], path[:-1], value)
        match draw(st.sampled_from(["replace", "replace", "remove", "add"])), inside:
            case "remove", _:
                del inside[path[-1]]
            case "add", dict():
                inside[draw(KEYS)] = draw(JUNK)
            case _:
                inside[path[-1]] = draw(JUNK)
    return value


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No module of this folder can be named."""
    monkeypatch.chdir(tmp_path)


@small(max_examples=200)
@given(spoilt(CONFIG))
def test_configuration(values: Any) -> None:
    with contextlib.suppress(ConfigError):
        read = config.read(values if isinstance(values, dict) else {})
        assert plan.included(plan.make_plan(read))


@small(max_examples=120)
@given(spoilt(CLAIMS))
def test_claims(values: Any) -> None:
    read = config.read(CONFIG)
    planned = plan.make_plan(read)
    path = Path("claims.json")
    path.write_text(json.dumps(values))
    with contextlib.suppress(ConfigError):
        claims.check(claims.load([path]), read, planned)


YAML = st.lists(
    st.sampled_from(
        ["a", "b: ", "- ", "? ", "&a ", "*a ", "<<: ", "!!int ", "!!bool ", "!!set ", "!!omap ", "!!timestamp ", "!x ",
         "{", "}", "[", "]", ", ", "\n", "\n  ", "\t", "'", '"', "|", ">", "#", "---\n", "...\n", "%YAML 1.1\n", "1",
         "0x", "2026-11-25", ".nan", "yes", "~", "=", "é", "\u2028", "\x85", "\ufeff", "\x00"]
    ),
    max_size=14,
).map("".join)  # fmt: skip


@small(max_examples=300)
@given(st.one_of(YAML.map(str.encode), st.binary(max_size=40), st.text(max_size=40).map(str.encode)))
@pytest.mark.parametrize("kind", ["yaml", "json"])
def test_document(kind: str, content: bytes) -> None:
    path = Path(f"document.{kind}")
    path.write_bytes(content)
    with contextlib.suppress(documents.DocumentError):
        documents.read(path)


TOKENS = st.sampled_from(
    ["activation", "depth", "bias", "x", "==", "!=", "<", "in", "not in", "not", "and", "or", "is", "-", "+", "(", ")",
     "[", "]", "{", "}", ",", "1", "0.5", "1e999", "1j", "'relu'", "'\\d'", "b'x'", "f'{x}'", "None", "True", "lambda:",
     "if", "else", "for", ":=", "...", "*", "**", "()", "\n", "\x00", "\uff44epth", "\ud800", "'\\N{x}'", "0777"]
)  # fmt: skip


@small(max_examples=400)
@given(st.one_of(st.lists(TOKENS, max_size=12).map(" ".join), st.text(max_size=30)))
def test_expression(text: str) -> None:
    with contextlib.suppress(ExpressionError):
        expression = Expression(text, FACTORS)
        for values in ({"activation": "relu", "depth": 3}, {"activation": "tanh", "depth": 1}):
            assert expression(dict.fromkeys(FACTORS, 0.5) | values) in (True, False)


@pytest.mark.parametrize("opening", ["not ", "-", "(", "[", "1 < ", "depth == 1 or not ", "{"])
def test_deep_expression(opening: str) -> None:
    for repeats in (40, 150, 1900 // len(opening)):
        with contextlib.suppress(ExpressionError):
            Expression(opening * repeats + "depth == 1", FACTORS)


# --- what the workflow wrote


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """An experiment with one cell trained."""
    made = Sample(tmp_path_factory.mktemp("sample"))
    made._train(next(iter(plan.included(made.plan).values())))
    return made


def reads(folder: Path, read: Callable[[Path], object], manifest: str, spoil: Callable[[Any], Any]) -> None:
    """Spoil a manifest, and read what it describes: a result or CorruptFileError. The manifest is then as it was."""
    path = folder / manifest
    whole = path.read_bytes()
    try:
        path.write_bytes(seal(spoil(json.loads(whole))))
        with contextlib.suppress(CorruptFileError):
            read(folder)
    finally:
        path.write_bytes(whole)


def folders(sample: Sample) -> dict[str, tuple[Path, Callable[[Path], object], str]]:
    cell = next(iter(plan.included(sample.plan).values()))
    data = sample.data / cell.dataset.slug
    return {
        "record": (sample.cells / cell.key, record.read, "record.json"),
        "data": (data, datasets.load, "dataset.json"),
        "prepared": (data / cell.preprocessing.slug, prepared.load, "preprocessing.json"),
        "map": (data / cell.preprocessing.slug, prepared.load_map, "preprocessing.json"),
    }


@small(max_examples=80)
@given(choice=st.randoms(use_true_random=False), junk=JUNK, remove=st.booleans())
@pytest.mark.parametrize("kind", ["record", "data", "prepared", "map"])
def test_manifest(kind: str, sample: Sample, choice: random.Random, junk: Any, remove: bool) -> None:
    def spoil(value: Any) -> Any:
        path = choice.choice(list(places(value)))
        inside = functools.reduce(lambda part, key: part[key], path[:-1], value)
        if remove:
            del inside[path[-1]]
        else:
            inside[path[-1]] = junk
        return value

    reads(*folders(sample)[kind], spoil)


@small(max_examples=60)
@given(choice=st.randoms(use_true_random=False), cut=st.booleans())
@pytest.mark.parametrize("kind", ["data", "prepared"])
def test_arrays_behind_the_right_checksum(kind: str, sample: Sample, choice: random.Random, cut: bool) -> None:
    folder, read, manifest = folders(sample)[kind]
    path = folder / json.loads((folder / manifest).read_bytes())["arrays"]["file"]
    whole = path.read_bytes()
    content = bytearray(whole)
    for _ in range(choice.randint(1, 4)):
        content[choice.choice([choice.randrange(300), choice.randrange(len(whole)), -1 - choice.randrange(800)])] ^= (
            1 << choice.randrange(8)
        )
    if cut:
        del content[choice.randrange(len(content)) :]

    def pin(value: Any) -> Any:
        value["arrays"] |= {"bytes": len(content), "sha256": files.checksum(content)}
        return value

    path.write_bytes(content)
    try:
        reads(folder, read, manifest, pin)
    finally:
        path.write_bytes(whole)


@small(max_examples=150)
@given(st.binary(max_size=60))
@pytest.mark.parametrize("name", ["record.json", "note"])
def test_bytes_in_place_of_json(name: str, content: bytes) -> None:
    if name == "note":
        Path("job.unfinished.json").write_bytes(content)
        assert notes.read(Path("job.log")) is not None
        return
    Path(name).write_bytes(content)
    with contextlib.suppress(CorruptFileError):
        record.load(Path.cwd())


# --- what was published


@small(max_examples=200)
@given(
    st.binary(max_size=40),
    st.sampled_from([b"", b"\0\0\x08\x01\0\0\0\x04", b"\0\0\x08\x03\0\0\0\x01\0\0\0\x02\0\0\0\x02"]),
)
def test_idx(content: bytes, header: bytes) -> None:
    for shape in ((4,), (1, 2, 2)):
        with contextlib.suppress(CorruptFileError):
            assert raw_files.parse_idx(header + content, shape, Path("x")).shape == shape


@small(max_examples=150)
@given(st.binary(max_size=60), st.sampled_from([b"", b"\x1f\x8b\x08\0", real.packed(b"x" * 50)]))
def test_gzip(content: bytes, header: bytes) -> None:
    source = raw_files.MNIST
    with pytest.raises(CorruptFileError):
        source.unpack(Path("x"), header + content, source.files[0], 50)


@pytest.fixture(scope="module")
def batch() -> bytes:
    images, labels = real.example_arrays((32, 32, 3))[2:]
    return real.python2_batch(images[:2], labels[:2].tolist())


@small(max_examples=200)
@given(junk=st.binary(max_size=20), choice=st.randoms(use_true_random=False))
def test_pickled_batch(batch: bytes, junk: bytes, choice: random.Random) -> None:
    heads = [range(200), range(len(batch) - 200, len(batch))]  # between them lie the pixels
    start = choice.choice(choice.choice(heads))
    with contextlib.suppress(CorruptFileError):
        images, labels = raw_cifar.parse_batch(batch[:start] + junk + batch[start + len(junk) :], 2, "x")
        assert images.shape == (2, 32, 32, 3)
        assert labels.dtype == np.uint8
