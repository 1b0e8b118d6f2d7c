"""The profiles for clusters against the rules: what one names, the others have; no cluster is needed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from project import ROOT, Project

PROFILES = ("slurm", "slurm-gpu", "kubernetes", "generic")


def profile(name: str) -> dict[str, Any]:
    """What a profile says."""
    return yaml.safe_load((ROOT / f"profiles/{name}/config.yaml").read_text())


@pytest.fixture(scope="module")
def submitted() -> set[str]:
    """The rules whose jobs go to the cluster."""
    texts = [path.read_text() for path in Path(ROOT, "workflow/rules").glob("*.smk")]
    rules = [rule for text in texts for rule in re.split(r"^rule ", text, flags=re.MULTILINE)[1:]]
    assert len(rules) > 8
    return {rule.partition(":")[0] for rule in rules if "localrule: True" not in rule}


@pytest.mark.parametrize("name", PROFILES)
def test_every_rule_that_is_submitted_has_its_memory(name: str, submitted: set[str]) -> None:
    resources = profile(name)["set-resources"]
    assert set(resources) == submitted
    for needs in resources.values():
        megabytes = re.fullmatch(r"(\d+) \* attempt", needs["mem_mb"])
        assert megabytes is not None
        assert int(megabytes[1]) >= 1000, "two Snakemakes are part of every job"


@pytest.mark.parametrize("name", [name for name in PROFILES if name != "slurm-gpu"])
def test_groups_are_of_rules_that_are_submitted(name: str, submitted: set[str]) -> None:
    groups = profile(name)["groups"]
    # Of a group that fails nothing is left, so data that cells of their own need are in none.
    assert set(groups) == submitted - {"data", "preprocess", "analyse"}
    assert set(profile(name)["group-components"]) <= set(groups.values())


@pytest.mark.parametrize(
    "words",
    [
        ("--workflow-profile", "profiles/slurm"),
        ("--profile", "profiles/slurm", "--workflow-profile", "profiles/slurm-gpu"),
        ("--workflow-profile", "profiles/generic"),
    ],
    ids=["slurm", "slurm-gpu", "generic"],
)
def test_snakemake_plans_with_it(words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project(tmp_path)
    monkeypatch.chdir(project.code)
    jobs = project.jobs(*words)
    assert jobs["train"] == 8
    printed = project.snakemake("--dry-run", "--until", "train", *words)
    assert ("gpu=1" in printed) == ("profiles/slurm-gpu" in words)
