"""Results that another version left: outdated or refused, by every command, and never taken for this one's."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from disturbed import RAW, Finished, finished, outcome
from sealing import seal, sealed

from trainability import manifests, record
from trainability.cli import main

Age = Callable[[Finished], None]
NEW = ("tables/plan.json", "tables/tables.json", "tables/claims.json", "report.json")  # unknown before manifests


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return finished(tmp_path_factory.getbasetemp())


def unsealed(path: Path, **changes: Any) -> None:
    """A manifest as versions wrote it before it ended with its checksum; a change to None takes an entry away."""
    content = {key: value for key, value in json.loads(path.read_bytes()).items() if key != "sha256"} | changes
    written = path.stat().st_mtime_ns
    path.write_bytes(manifests.to_json({key: value for key, value in content.items() if value is not None}))
    os.utime(path, ns=(written, written))


def records(schema: int | None) -> Age:
    def age(copied: Finished) -> None:
        for path in copied.results.glob("cells/*/record.json"):
            unsealed(path, schema=schema)

    return age


def newer(copied: Finished) -> None:
    for path in copied.results.glob("cells/*/record.json"):
        path.write_bytes(seal(json.loads(path.read_bytes()) | {"schema": record.SCHEMA + 1, "novel": True}))


def data(copied: Finished) -> None:
    for path in copied.results.glob("data/**/*.json"):
        unsealed(path)


def everything(copied: Finished) -> None:
    """As the last version without manifests of tables left it."""
    records(3)(copied)
    data(copied)
    for pattern in ("analyses/*.json", "figures/*.json"):
        for path in copied.results.glob(pattern):
            unsealed(path)
    for name in NEW:
        (copied.results / name).unlink()


def configuration(copied: Finished) -> None:
    path = copied.results / "tables/config.json"
    path.write_bytes(manifests.to_json(json.loads(path.read_bytes()) | {"colour": "red"}))
    sealed(path)


# By name: what is done, the state of the cells, and what commands say: exit status, and words of the message.
SAYS: dict[str, tuple[Age, str, dict[str, tuple[int, str]]]] = {
    **{
        f"records of schema {schema}": (
            records(schema),
            "2 outdated",
            {
                "report-partial": (2, r"none of the 2 cells is finished \(2 outdated\)"),
                "compare": (
                    2,
                    rf"record.json has schema {schema}, this version reads {record.SCHEMA}. .* compare with",
                ),
                "export": (2, rf"record.json has schema {schema}, this version reads {record.SCHEMA}"),
                "verify": (2, rf"not verified: .*record.json has schema {schema}, this version reads {record.SCHEMA}"),
                "explain": (0, rf"Outdated: .*record.json has schema {schema}, this version reads {record.SCHEMA}"),
            },
        )
        for schema in (3, 2, 1, None)
    },
    "records of a newer version": (
        newer,
        "2 outdated",
        {
            "report-partial": (2, r"none of the 2 cells is finished \(2 outdated\)"),
            "compare": (2, f"record.json has schema {record.SCHEMA + 1}, this version reads {record.SCHEMA}"),
            "export": (2, f"record.json has schema {record.SCHEMA + 1}, this version reads {record.SCHEMA}"),
            "verify": (2, f"not verified: .*has schema {record.SCHEMA + 1}"),
            "explain": (0, f"Outdated: .*has schema {record.SCHEMA + 1}"),
        },
    ),
    "manifests of data without a checksum": (
        data,
        "2 done",
        {
            "report-partial": (2, r"\.json does not end with its SHA-256: it was altered, or another version wrote it"),
            "compare": (0, "0 verdicts flipped"),
            "export": (2, r"\.json does not end with its SHA-256: it was altered, or another version wrote it"),
            "verify": (2, r"\.json does not end with its SHA-256: it was altered, or another version wrote it"),
            "explain": (0, "Nothing to do"),
        },
    ),
    "a whole folder": (
        everything,
        "2 outdated",
        {
            "report-partial": (2, r"none of the 2 cells is finished \(2 outdated\)"),
            "compare": (2, "plan.json is missing. Run snakemake to make it"),
            "export": (2, "plan.json is missing. Run snakemake to make it"),
            "verify": (2, "has schema 3"),
            "explain": (0, "Outdated: .*has schema 3"),
        },
    ),
    "a configuration with other keys": (
        configuration,
        "2 done",
        {
            "report-partial": (0, "2 of 2 cells"),
            "compare": (2, "config.json cannot be read by this version: .*colour: unknown key"),
            "export": (2, "colour: unknown key"),
            "explain": (0, "Nothing to do"),
        },
    ),
}


@pytest.mark.parametrize("name", SAYS)
def test_every_command_says_what_it_is(
    name: str, whole: Finished, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    age, state, commands = SAYS[name]
    copied = whole.copied(tmp_path)
    age(copied)
    experiment = [str(copied.code / file) for file in ("config.yaml", "experiments/smoke.yaml")]
    here = ["--configfile", *experiment, "--results", str(copied.results)]
    key = copied.one("record").parent.name
    words = {
        "report-partial": ["report-partial", *here],
        "compare": ["compare", str(whole.results), str(copied.results), "--out", str(tmp_path / "page.html")],
        "export": ["export", "latex", "--results", str(copied.results), "--out", str(tmp_path / "out")],
        "verify": ["verify", key, *here],
        "explain": ["explain", key, "--quick", *here],
    }
    assert main(["status", *here]) == 0
    assert state in capsys.readouterr().out
    for command, (status, said) in commands.items():
        assert main(words[command]) == status, command
        printed = capsys.readouterr()
        assert re.search(said, (printed.out + printed.err).replace("\n", " ")), (command, printed)


def test_the_workflow_refuses_an_old_folder_and_its_message_leads_to_the_same_results(
    whole: Finished, tmp_path: Path
) -> None:
    """The folder comes from elsewhere: Snakemake has no notes on it, and knows times alone."""
    copied = whole.copied(tmp_path)
    everything(copied)
    shutil.rmtree(copied.work / ".snakemake")
    printed = copied.snakemake(status=1)
    assert "Traceback" not in printed
    assert f"record.json has schema 3, this version reads {record.SCHEMA}" in printed
    assert "`trainability rerun --outdated --damaged`" in printed
    said = copied.trainability("rerun", "--outdated", "--damaged")
    assert "2 of 2 cells are trained again (2 outdated)" in said
    assert copied.damages() == {}
    assert outcome(copied.results) == outcome(whole.results)
    assert f".{RAW}." in copied.one("record").parent.name
