"""Malformed files of statements: refused with the configuration that names them, before anything runs."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from refusals import refused

CONFIG: dict[str, Any] = {
    "title": "A test",
    "seeds": 2,
    "learning_rates": [0.1],
    "studies": {"slopes": {"question": "Which?", "grid": {"activation": ["relu", "tanh"], "depth": [2, 5]}}},
    "analyses": {"births": {"name": "born_dead", "rounds": 2, "trials": 10}},
    "claims": ["claims.yaml"],
}
CLAIM: dict[str, Any] = {
    "id": "tanh-wins",
    "statement": "tanh is more accurate than ReLU.",
    "source": "a test",
    "family": "one",
    "study": "slopes",
    "metric": "test_accuracy",
    "expect": "higher",
    "evidence": {"name": "contrast", "treatment": "activation == 'tanh'", "control": "activation == 'relu'"},
    "rule": {"name": "exceeds", "by": 0.01, "why": "a point"},
}


def evidence(**changes: Any) -> dict[str, Any]:
    return {"evidence": CLAIM["evidence"] | changes}


def of_analysis(**changes: Any) -> dict[str, Any]:
    kind = {"name": "level", "where": "depth > 3"}
    return {"study": "", "analysis": "births", "metric": "share", "evidence": kind} | changes


# By name: what is changed of the statement, or the whole file, and what the message must say.
MISTAKES: dict[str, tuple[dict[str, Any] | str, list[str]]] = {
    "a list at the top": ("- 1", ["valid dictionary"]),
    "nothing": ("", ["valid dictionary"]),
    "a number of claims": ("claims: 3", ["claims:", "valid list", "given: 3"]),
    "null claims": ("claims: null", ["claims:", "valid list"]),
    "no claims": ("claims: []", ["claims:", "at least 1"]),
    "a claim that is text": ("claims: [ReLU wins]", ["claims[0]:", "ReLU wins"]),
    "claim": ("claim: []", ["claim: unknown key: did you mean 'claims'?"]),
    "not YAML": ("claims: [", ["not YAML:"]),
    "a Python object": ("claims: !!python/object:os.system {}", ["not YAML:", "python/object:os.system"]),
    "a key twice": ("claims:\n- id: a\n  id: b", ["the key 'id' stands twice in one mapping (line 3)"]),
    "an id that is a number": ({"id": 7}, ["claims[0].id:", "valid string"]),
    "an id that is a path": ({"id": "../../x"}, ["../../x.id:", "pattern"]),
    "an id that is markup": ({"id": "<script>"}, ["<script>.id:", "pattern"]),
    "a long id": ({"id": "x" * 2000}, ["claims[0].id:", "pattern"]),
    "an empty statement": ({"statement": " "}, ["tanh-wins.statement:", "at least 1 character"]),
    "test_acuracy": ({"metric": "test_acuracy"}, ["no metric is called test_acuracy: did you mean 'test_accuracy'"]),
    "slope": ({"study": "slope"}, ["claim tanh-wins: no study is called slope: did you mean 'slopes'?", "elsewhere"]),
    "birth": (of_analysis(analysis="birth"), ["no analysis is called birth: did you mean 'births'?"]),
    "neither study nor analysis": ({"study": ""}, ["give `study` or `analysis`, and one only"]),
    "both": ({"analysis": "births"}, ["give `study` or `analysis`, and one only"]),
    "expect more": ({"expect": "more"}, ["tanh-wins.expect:", "'higher', 'lower' or 'either'"]),
    "either, and larger": ({"expect": "either"}, ["`expect: either` belongs to the rule `equivalent`"]),
    "one seed": ({"seeds": 1}, ["tanh-wins.seeds:", "greater than or equal to 2"]),
    "a note that is a list": ({"note": []}, ["tanh-wins.note:", "valid string"]),
    "contrst": (evidence(name="contrst"), ["tanh-wins.evidence:", "did you mean 'contrast'?"]),
    "controll": (evidence(controll="x"), ["tanh-wins.evidence.controll: unknown key", "did you mean 'control'?"]),
    "no control": (
        {"evidence": {"name": "contrast", "treatment": "depth > 1"}},
        ["tanh-wins.evidence.control: this key is required"],
    ),
    "an empty side": (evidence(control=""), ["tanh-wins.evidence.control:", "not an expression"]),
    "a side that is a number": (evidence(control=3), ["tanh-wins.evidence.control:", "valid string"]),
    "a side that is no expression": (evidence(control="activation = 'relu'"), ["control:", "not an expression"]),
    "a side that is code": (evidence(control="open('/etc/passwd')"), ["control:", "expected a comparison"]),
    "brackets that meet another side": (
        evidence(where="depth > 1) or (depth > 0"),
        ["tanh-wins.evidence.where:", "not an expression"],
    ),
    "activaton": (
        evidence(control="activaton == 'relu'"),
        ["'activaton' is not a name here: did you mean 'activation'"],
    ),
    "rleu": (evidence(control="activation == 'rleu'"), ["no cell of study slopes satisfies `activation == 'rleu'`"]),
    "an order of text and numbers": (evidence(control="activation > 3"), ["cannot be evaluated"]),
    "a long expression": (evidence(control=" or ".join(["depth == 1"] * 300)), ["longer than 2000 characters"]),
    "a deep expression": (evidence(control=f"{'not ' * 400}depth == 1"), ["nested more than 50 deep"]),
    "of an analysis, no expression": (
        of_analysis(evidence={"name": "level", "where": "depth >"}),
        ["not an expression"],
    ),
    "exeeds": ({"rule": {"name": "exeeds", "by": 0.1, "why": "?"}}, ["did you mean 'exceeds'?"]),
    "no why": ({"rule": {"name": "exceeds", "by": 0.1}}, ["tanh-wins.rule.why: this key is required"]),
    "neither by nor factor": ({"rule": {"name": "exceeds", "why": "?"}}, ["give `by` for differences or `factor`"]),
    "by not a number": ({"rule": {"name": "exceeds", "by": float("nan"), "why": "?"}}, ["rule.by:", "finite number"]),
    "a factor of zero": ({"rule": {"name": "exceeds", "factor": 0, "why": "?"}}, ["rule.factor:", "greater than 0"]),
    "published on another scale": (
        {"published": {"says": "six", "figures": [{"factor": 6}]}},
        ["given as `by` here, as the effect is, not as `factor`"],
    ),
    "published without a number": ({"published": {"says": "six", "figures": [{}]}}, ["and one only"]),
    "published where there is nothing": (
        {"published": {"says": "so", "figures": [{"by": 0.1, "where": "depth =="}]}},
        ["published.figures[0].where:", "not an expression"],
    ),
}


def check(capsys: pytest.CaptureFixture[str], folder: Path, claims: str) -> str:
    (folder / "claims.yaml").write_text(claims)
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    return refused(capsys, folder, "check", "--configfile", str(folder / "config.yaml"))


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_is_one_clear_message(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    changes, parts = MISTAKES[name]
    text = changes if isinstance(changes, str) else yaml.safe_dump({"claims": [copy.deepcopy(CLAIM) | changes]})
    message = check(capsys, tmp_path, text)
    for part in parts:
        assert part in message
    assert len(message) < 3000


def test_the_good_one_is_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from trainability.cli import main

    monkeypatch.chdir(tmp_path)
    (tmp_path / "claims.yaml").write_text(yaml.safe_dump({"claims": [CLAIM]}))
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    assert main(["check"]) == 0


def test_a_name_twice_and_a_file_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    message = check(capsys, tmp_path, yaml.safe_dump({"claims": [CLAIM, CLAIM]}))
    assert "claims.yaml: claim tanh-wins is defined twice" in message


def test_a_study_of_another_experiment_is_no_mistake_where_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trainability.cli import main

    monkeypatch.chdir(tmp_path)
    elsewhere = CLAIM | {"study": "slope", "elsewhere": "that study is the other experiment's"}
    (tmp_path / "claims.yaml").write_text(yaml.safe_dump({"claims": [elsewhere]}))
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    assert main(["check"]) == 0
