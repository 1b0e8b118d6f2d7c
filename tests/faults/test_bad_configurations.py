"""Malformed configurations: one message that says what, where and what is allowed, status 2, and nothing written."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from refusals import refused

from trainability import documents

GOOD = """
title: A test
seeds: 2
learning_rates: [0.1]
studies:
  one:
    question: Which?
    grid: {activation: [relu, tanh]}
"""
# By name: the file put over the good one, and what the message must say.
MISTAKES: dict[str, tuple[str | bytes, list[str]]] = {
    # --- wrong types
    "a list at the top": ("- 1", ["expected keys and values at the top level"]),
    "a text at the top": ("relu", ["expected keys and values at the top level"]),
    "nothing": ("", ["expected keys and values at the top level"]),
    "a number as title": ("title: 3", ["title:", "valid string", "given: 3"]),
    "a mapping as title": ("title: {a: 1}", ["title:", "valid string"]),
    "an empty title": ("title: '  '", ["title:", "at least 1 character"]),
    "a long title": (f"title: {'x' * 201}", ["title:", "at most 200 characters"]),
    "text as a seed": ("seeds: [one]", ["seeds[0]:", "valid integer", '"one"']),
    "a fraction as a seed": ("seeds: [0.5]", ["seeds[0]:", "valid integer", "0.5"]),
    "a seed below zero": ("seeds: [-1]", ["seeds[0]:", "greater than or equal to 0"]),
    "a seed beyond 31 bits": ("seeds: [2147483648]", ["seeds[0]:", "less than 2147483648"]),
    "no seeds": ("seeds: 0", ["seeds:", "between 1 and 10000", "given: 0"]),
    "a mapping of seeds": ("seeds: {a: 1}", ["seeds:", "expected a list of seeds, or how many"]),
    "a rate that YAML takes for text": ("learning_rates: [1e-3]", ["learning_rates[0]:", "write 0.001 or 1.0e-3"]),
    "one rate, no list": ("learning_rates: 0.1", ["learning_rates:", "given: 0.1"]),
    "a rate of zero": ("learning_rates: [0.0]", ["learning_rates[0]:", "greater than 0"]),
    "a rate that is true": ("learning_rates: [true]", ["learning_rates[0]:", "valid number"]),
    "a list of studies": ("studies: [one]", ["studies:", "valid dictionary"]),
    "a study that is text": ("studies: {one: relu}", ["studies.one:", "relu"]),
    "a grid that is a list": ("studies: {one: {question: Q, grid: [relu]}}", ["studies.one.grid:"]),
    "an axis that is no list": (
        "studies: {one: {grid: {activation: relu}}}",
        ["studies.one.grid.activation:", "valid list"],
    ),
    "null for a factor": ("base: {activation: null}", ["base.activation:", "expected the name of one activation"]),
    "null for the base": ("base: null", ["base:", "given: null"]),
    "a list for a factor": ("base: {activation: [relu]}", ["base.activation:", "expected the name of one activation"]),
    "a factor without a name": ("base: {activation: {alpha: 1.0}}", ["base.activation:", "mapping with `name`"]),
    "text as a depth": ("base: {depth: '5'}", ["base.depth:", "valid integer", '"5"']),
    "true as a depth": ("base: {depth: true}", ["base.depth:", "valid integer"]),
    "claims that are no list": ("claims: mine.yaml", ["claims:", "valid list"]),
    "a number as a folder": ("sources: {mnist: 3}", ["sources.mnist:", "valid string"]),
    # --- one letter wrong, and keys that there are not
    "titel": ("titel: x", ["titel: unknown key", "did you mean 'title'?", "allowed are title, base"]),
    "learning_rate": ("learning_rate: [0.1]", ["unknown key: did you mean 'learning_rates'?"]),
    "activaton": ("base: {activaton: relu}", ["base.activaton: unknown key", "did you mean 'activation'?"]),
    "rleu": ("base: {activation: rleu}", ["base.activation:", "did you mean 'relu'?", "known are sigmoid"]),
    "kaiming_norml": ("base: {init: kaiming_norml}", ["base.init:", "did you mean 'kaiming_normal'?"]),
    "batchnrom": ("base: {normalization: batchnrom}", ["base.normalization:", "did you mean 'batchnorm'?"]),
    "digit": ("base: {dataset: digit}", ["base.dataset:", "did you mean 'digits'?"]),
    "alhpa": ("base: {activation: {name: elu, alhpa: 1.0}}", ["base.activation.alhpa: unknown key", "'alpha'"]),
    "momentun": (
        "base: {optimizer: {name: sgd, momentun: 0.9}}",
        ["momentun: unknown key", "did you mean 'momentum'?"],
    ),
    "cosin": ("base: {schedule: cosin}", ["base.schedule:", "did you mean 'cosine'?"]),
    "exlude": ("studies: {one: {exlude: []}}", ["studies.one.exlude: unknown key", "did you mean 'exclude'?"]),
    "timming": ("analyses: {t: timming}", ["analyses.t:", "did you mean 'timing'?"]),
    "fashion_mnits": ("sources: {fashion_mnits: x}", ["sources:", "did you mean 'fashion_mnist'?"]),
    "gpu": ("device: gpu", ["device:", "'cpu' or 'cuda'", '"gpu"']),
    "a homoglyph": (
        "base: {\u0430ctivation: relu}",
        ["base.\u0430ctivation: unknown key", "did you mean 'activation'?"],
    ),
    "yte of Snakemake": ("__use_yte__: true", ["__use_yte__: unknown key"]),
    # --- empty, twice, out of bounds
    "no rates": ("learning_rates: []", ["learning_rates:", "at least 1"]),
    "an empty axis": ("studies: {one: {grid: {activation: []}}}", ["studies.one.grid.activation:", "at least 1"]),
    "no study": ("studies: {one: null}", ["studies:", "every study is null"]),
    "no question": ("studies: {two: {grid: {depth: [1]}}}", ["studies.two.question: this key is required"]),
    "a rate twice": ("learning_rates: [0.1, 0.10]", ["learning_rates:", "0.1 repeated"]),
    "a seed twice": ("seeds: [1, 2, 1]", ["seeds:", "1 repeated"]),
    "an activation twice": ("studies: {one: {grid: {activation: [relu, {name: relu}]}}}", ["relu repeated"]),
    "a target of 100 %": ("targets: [1.0]", ["targets[0]:", "less than 1"]),
    "not a number": ("base: {bias: .nan}", ["base.bias:", "finite number", "NaN"]),
    "infinite": ("learning_rates: [.inf]", ["learning_rates[0]:", "finite number"]),
    "minus infinite": ("base: {bias: -.inf}", ["base.bias:", "finite number"]),
    "an integer too large for a float": (f"learning_rates: [{'9' * 400}]", ["learning_rates[0]:", "valid number"]),
    "too wide": ("base: {width: 16385}", ["base.width:", "less than or equal to 16384"]),
    "too deep": ("base: {depth: 201}", ["base.depth:", "less than or equal to 200"]),
    "all dropped": ("base: {dropout: 1.0}", ["base.dropout:", "less than 1"]),
    "names of studies that are paths": ("studies: {../x: {question: Q, grid: {depth: [1]}}}", ["../x", "pattern"]),
    "names of analyses that are paths": ("analyses: {/etc/passwd: timing}", ["/etc/passwd", "pattern"]),
    # --- impossible together
    "batches larger than the data": ("base: {batch_size: 2000}", ["batch_size 2000 is larger than the 1152"]),
    "too many training examples": ("base: {dataset: {name: digits, train_examples: 9999}}", ["9999", "1152"]),
    "a CNN without images": (
        "base: {architecture: cnn, dataset: spirals}",
        ["studies.one: architecture cnn", "needs images, and spirals has none"],
    ),
    "a CNN on components": ("base: {architecture: cnn, preprocessing: pca}", ["needs images, and pca leaves none"]),
    "more components than features": (
        "base: {preprocessing: {name: pca, components: 65}}",
        ["studies.one: preprocessing", "64"],
    ),
    "batch normalization of one": (
        "base: {batch_size: 1, normalization: batchnorm}",
        ["needs a batch_size of at least 2"],
    ),
    "groups that do not divide": (
        "base: {width: 63, normalization: groupnorm}",
        ["needs a width that is a multiple of"],
    ),
    "more classes than directions": (
        "base: {dataset: {name: gaussians, features: 2, classes: 3}}",
        ["base.dataset", "3 classes"],
    ),
    "everything excluded": ("studies: {one: {exclude: [{when: depth > 0, reason: all}]}}", ["every cell is excluded"]),
    "an order of text and numbers": (
        "studies: {one: {exclude: [{when: activation > 3, reason: so}]}}",
        ["studies.one.exclude:", "cannot be evaluated", "'>' not supported"],
    ),
    "code in an expression": (
        "studies: {one: {exclude: [{when: \"__import__('os').system('x')\", reason: so}]}}",
        ["studies.one.exclude[0].when:", "expected a comparison"],
    ),
    "an expression without a reason": (
        "studies: {one: {exclude: [{when: depth > 3}]}}",
        ["exclude[0].reason: this key is required"],
    ),
    "a deep expression": (
        f"studies: {{one: {{exclude: [{{when: '{'-' * 1500}1 == 1', reason: so}}]}}}}",
        ["studies.one.exclude[0].when:", "nested more than 50 deep"],
    ),
    "a warning of Python's": (
        "studies: {one: {exclude: [{when: \"activation == '\\\\d'\", reason: so}]}}",
        ["studies.one.exclude[0].when:", "not an expression: invalid escape sequence"],
    ),
    # --- huge
    "a huge grid": (
        f"studies: {{one: {{grid: {{depth: {list(range(1, 201))}, width: {list(range(1, 1001))}}}}}}}",
        ["studies: they span 400000 cells together, at most 100000 are allowed"],
    ),
    "a long axis with a value twice": (
        f"studies: {{one: {{grid: {{width: {[*range(1, 16384), 7]}}}}}}}",
        ["studies.one.grid.width:", "7 repeated"],
    ),
    "too many seeds": ("seeds: 10001", ["seeds:", "between 1 and 10000", "10001"]),
    "a million runs a cell": (
        f"seeds: 1000\nlearning_rates: {[n / 1000 for n in range(1, 1001)]}",
        ["1000000 runs in each cell, at most 10000 are allowed"],
    ),
    "an integer of 5000 digits": (f"base: {{width: {'9' * 5000}}}", ["not YAML:", "4300 digits"]),
    "an enormous file": (b"title: x\n" + b"#" * documents.LARGEST, ["larger than 500000 bytes"]),
    "many items": (f"seeds: [{'0,' * 120_000}]", ["more than 100000 keys, values and items"]),
    "deep nesting": (f"title: {'[' * 60}{']' * 60}", ["more than 50 deep in each other", "line 1"]),
    "very deep nesting": (f"title: {'[' * 100_000}", ["more than 50 deep in each other"]),
    # --- YAML's own traps
    "not YAML": ("title: [", ["not YAML:", "line 2"]),
    "a tab": ("base:\n\tdepth: 3", ["not YAML:", "line 2", "indent with spaces, not with tabs"]),
    "two documents": ("title: a\n---\ntitle: b", ["not YAML:", "expected a single document"]),
    "a bomb of aliases": (
        "a: &a [x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
        ["more than 100000 keys, values and items, with aliases followed (line 6)"],
    ),
    "a bomb of merge keys": (
        "a: &a {x: 1, y: 2}\n"
        + "".join(
            f"{b}: &{b} {{<<: [{', '.join([f'*{a}'] * 9)}]}}\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
        ),
        ["more than 100000 keys, values and items, with aliases followed"],
    ),
    "an alias of itself": ("base: &a {activation: *a}", ["*a stands within itself (line 1)"]),
    "an alias of nothing": ("base: *nowhere", ["not YAML:", "undefined alias"]),
    "a merge of a number": ("base: {<<: 3}", ["not YAML:", "mapping"]),
    "a Python object": ("title: !!python/object:os.system {}", ["not YAML:", "python/object:os.system"]),
    "a Python call": (
        "title: !!python/object/apply:os.system ['true']",
        ["not YAML:", "python/object/apply:os.system"],
    ),
    "a Python name": ("title: !!python/name:os.system", ["not YAML:", "python/name:os.system"]),
    "a tag of one's own": ("title: !mine x", ["not YAML:", "'!mine'"]),
    "a tag that does not fit": ("base: {depth: !!bool five}", ["not YAML:", "a value does not fit its tag", "five"]),
    "a time that is none": ("title: !!timestamp noon", ["not YAML:", "a value does not fit its tag"]),
    "a key twice": ("base: {depth: 3, depth: 4}", ["the key 'depth' stands twice in one mapping (line 1)"]),
    "a study twice": ("studies:\n  one: null\n  one: null", ["the key 'one' stands twice in one mapping (line 3)"]),
    "a date as title": ("title: 2026-11-25", ["title:", "valid string", "2026-11-25"]),
    "no as a title": ("title: no", ["title:", "valid string", "false"]),
    "a day that there is not": ("title: 2026-02-30", ["not YAML:", "day"]),
    "an octal width": ("base: {width: 010}\nsedes: 1", ["sedes: unknown key", "did you mean 'seeds'?"]),
    "sixty minutes": ("base: {width: 190:20:30}", ["base.width:", "less than or equal to 16384", "685230"]),
    "yes as a key": ("base: {yes: 1}", ["the key yes is no text but true or false (line 1): put it in quotes"]),
    "a number as a key": ("studies: {1: null}", ["the key 1 is no text but a number (line 1): put it in quotes"]),
    "a date as a key": ("base: {2026-11-25: 1}", ["the key 2026-11-25 is no text but a date"]),
    "nothing as a key": ("base: {~: 1}", ["the key ~ is no text but nothing"]),
    "a list as a key": ("base: {[a, b]: 1}", ["the key of several parts is no text but a list (line 1)"]),
    "a set": ("base: !!set {depth}", ["base:", "valid dictionary"]),
    "bytes": ("title: !!binary aGVsbG8=", ["title:", "valid string"]),
    # --- encodings and what cannot be seen
    "a NUL": (b"title: a\x00b", ["not YAML:", "#x0000"]),
    "not UTF-8": (b"title: \xff\xfe", ["not YAML:", "can't decode byte 0xff"]),
    "UTF-16": ("title: x".encode("utf-16"), ["not YAML:", "can't decode byte"]),
    "a mark in front, and a mistake": (b"\xef\xbb\xbftitel: x", ["titel: unknown key", "did you mean 'title'?"]),
    "half a character": ('title: "\\ud800"', ["not YAML:"]),
    "a terminal's commands": ('"\\e[2Jtitle": x', ["\\x1b[2Jtitle: unknown key"]),
    "a line in a key": ('"a\\n  - b": x', ["a\\n  - b: unknown key"]),
    "text turned round": ('base: {activation: "\\u202euler"}', ["base.activation:", "\\u202e"]),
    "no ASCII in a study's name": ("studies: {größe: {question: Q, grid: {depth: [1]}}}", ["größe", "pattern"]),
    # --- classes and files of one's own
    "a module that there is not": (
        "base: {activation: 'nowhere.at_all:Bend'}",
        ["base.activation:", "there is no module nowhere"],
    ),
    "no class": ("base: {activation: 'json:dumps'}", ["base.activation:", "json:dumps is no class"]),
    "another class": (
        "base: {activation: 'json:JSONDecoder'}",
        ["base.activation:", "is not a subclass of trainability.api.Activation"],
    ),
    "a path as a module": (
        "base: {activation: '../../tmp/x:Bend'}",
        ["base.activation:", "expected a module and a class in it"],
    ),
    "a call as a class": (
        "base: {activation: \"os:system('x')\"}",
        ["base.activation:", "expected a module and a class in it"],
    ),
    "claims that are not there": (
        "claims: [nowhere.yaml]",
        ["nowhere.yaml: cannot be read (No such file or directory)"],
    ),
    "claims in a folder": ("claims: ['']", ["cannot be read (Is a directory)"]),
    "claims without an end": ("claims: [/dev/zero]", ["/dev/zero: larger than 500000 bytes"]),
    "claims with braces": ("claims: ['{x}.yaml']", ["claims[0]:", "a path without { and }"]),
    "claims with a NUL in their name": ('claims: ["a\\0b"]', ["a\\x00b: cannot be read"]),
}


def test_the_good_one_is_good(tmp_path: Path) -> None:
    from trainability.cli import main

    (tmp_path / "good.yaml").write_text(GOOD)
    assert main(["check", "--configfile", str(tmp_path / "good.yaml")]) == 0


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_is_one_clear_message(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content, parts = MISTAKES[name]
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(GOOD)
    bad.write_bytes(content if isinstance(content, bytes) else content.encode())
    started = time.perf_counter()
    message = refused(capsys, tmp_path, "check", "--configfile", str(good), str(bad))
    assert time.perf_counter() - started < 5
    for part in parts:
        assert part in message
    assert len(message) < 3000


@pytest.mark.parametrize("name", ["a bomb of aliases", "a bomb of merge keys", "claims without an end"])
def test_what_would_fill_the_memory_does_not(name: str, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(GOOD)
    bad.write_text(str(MISTAKES[name][0]))
    program = (
        "import sys; from trainability import cli, workers; status = cli.main(sys.argv[1:]);"
        "print(workers._peak_memory()); sys.exit(status)"
    )
    words = [sys.executable, "-c", program, "check", "--configfile", str(good), str(bad)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert 10 < float(done.stdout) < 300, "MB"


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ('{"seeds": 1, "seeds": 2}', "the key 'seeds' stands twice in one mapping"),
        ("[" * 100_000, "more than 50 deep"),
        ("{'a': 1}", "not JSON: Expecting property name"),
        ('{"a": 1} {"b": 2}', "not JSON: Extra data"),
        ('{"base": {"init": "\\ud800"}}', "base.init: no initialiser is called \\ud800"),
        ('{"learning_rates": [NaN]}', "learning_rates[0]: Input should be a finite number"),
    ],
)
def test_mistake_in_json_is_one_clear_message(
    content: str, part: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.json"
    good.write_text(GOOD)
    bad.write_text(content)
    assert part in refused(capsys, tmp_path, "check", "--configfile", str(good), str(bad))


def test_what_looks_like_a_trap_and_is_none(tmp_path: Path) -> None:
    """Anchors, merge keys that are overruled, a byte-order mark, unicode and quoted numbers are fine."""
    path = tmp_path / "fine.yaml"
    path.write_bytes(
        b"\xef\xbb\xbf"
        + """
title: "2026-11-25, größer: 日本語"
one: &grid {depth: [1, 2], width: [3]}
two: {<<: *grid, width: [4]}
""".encode()
    )
    assert documents.read(path) == {
        "title": "2026-11-25, größer: 日本語",
        "one": {"depth": [1, 2], "width": [3]},
        "two": {"depth": [1, 2], "width": [4]},
    }
    assert documents.read(path) == yaml.safe_load(path.read_text(encoding="utf-8-sig"))


@pytest.mark.parametrize("place", ["a folder", "a loop", "nothing"])
def test_file_that_cannot_be_read(place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.yaml"
    if place == "a folder":
        path.mkdir()
    elif place == "a loop":
        path.symlink_to(path)
    assert f"{path}: cannot be read (" in refused(capsys, tmp_path, "check", "--configfile", str(path))
