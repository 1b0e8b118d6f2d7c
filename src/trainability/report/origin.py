"""Where the results come from and how to get them again: commands, versions, hardware, hashes, sources."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import yaml

from trainability.cell import FACTORS
from trainability.report.blocks import Column, Command, Commands, Entry, Items, Listing, Table
from trainability.report.catalogue import rerun
from trainability.report.illustrations import data_uri
from trainability.report.material import Material
from trainability.report.wording import PERCENT, count, listing


def commands(material: Material) -> Commands:
    """How to make the page, a cell, or a selection of cells again."""
    key, cell = next(iter(material.trained.items()))
    own = _configuration(material.snakemake)
    activation, init = (json.dumps(one.label, ensure_ascii=False) for one in (cell.activation, cell.init))
    selection = shlex.quote(f"activation == {activation} and init == {init}")
    return Commands(
        (
            Command(
                "make report",
                "Set up the environment, run the default experiment and write results/report.html.",
            ),
            Command(
                material.snakemake,
                "This experiment in an environment that is ready; only what is missing or out of date is made.",
            ),
            Command(
                rerun(material, key), "Train one cell again. Every row of the table of all cells has its own command."
            ),
            Command(rerun(material, key).replace(" -f ", " -R "), "Train it again and bring the page up to date."),
            Command(
                f"trainability cells --select {selection}{own}",
                "List the cells that fit an expression over the factors.",
            ),
            Command(
                f"trainability rerun --select {selection}{own}",
                "Train these cells again, no others, and bring the page up to date.",
            ),
            Command(
                verify(material, key),
                "Train a cell again beside its record and compare all figures of all runs, bit by bit.",
            ),
        )
    )


def verify(material: Material, key: str) -> str:
    """The command that trains a cell again beside its record and compares the two."""
    return f"trainability verify {shlex.quote(key)}{_configuration(material.snakemake)}"


def _configuration(snakemake: str) -> str:
    """The option that tells `trainability` of the experiment that a snakemake command runs; empty for the default."""
    words = shlex.split(snakemake)
    if "--configfile" not in words:
        return ""
    files = words[words.index("--configfile") + 1 :]
    return " " + shlex.join(["--configfile", *dict.fromkeys(("config.yaml", *files))])


def verified(material: Material) -> str:
    """How many cells were trained again, and how that came out."""
    notes, cells = material.verified.values(), count(len(material.trained), "cell")
    if not notes:
        return f"None of the {cells} was trained again yet to see that; `trainability verify` does it."
    agree = sum(note.equal for note in notes)
    said = f"{agree:,} of {cells} were trained again and agree to the last bit"
    return f"{said}; {len(notes) - agree:,} more came out otherwise." if agree < len(notes) else f"{said}."


def configuration(material: Material) -> Listing:
    """The whole configuration, defaults written out, in a form that can be run again."""
    content = material.settings.model_dump(mode="json", exclude_none=True)
    content["studies"] = {
        name: content["studies"].get(name) for name in material.settings.studies
    }  # a study that is null drops one of the default experiment, so the null must stay
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)
    return Listing(
        "The configuration, with all defaults",
        text,
        "experiment.yaml",
        data_uri(text.encode(), "application/yaml"),
    )


def items(material: Material) -> Items:
    """Times, hardware, software and code as the records have them; where records differ, all are listed."""
    records = list(material.records.values())
    times = [record["times"] for record in records]
    seconds, measuring = (sum(time[name] for time in times) for name in ("train_seconds", "measure_seconds"))
    return Items(
        (
            ("Trained", _period(times)),
            (
                "Training time",
                f"{seconds:,.0f} s in all, summed over {count(len(records), 'cell')}; measuring took "
                f"{measuring:,.0f} s of it ({100 * measuring / seconds:.1f}{PERCENT})",
            ),
            ("Hardware", _distinct((r["hardware"] for r in records), _pairs)),
            (
                "Device and threads",
                _distinct(({"device": r["device"], "threads": r["threads"]} for r in records), _pairs),
            ),
            ("Software", _distinct((r["versions"] for r in records), _pairs)),
            ("Code that trained", _distinct((r["hashes"]["code"] for r in records), str)),
            ("Trained again", verified(material)),
            *_foreign(material),
        )
    )


def _foreign(material: Material) -> Iterator[tuple[str, str]]:
    """Classes of the user's own with the fingerprints of their source, if there are any."""
    components = [getattr(cell, name) for cell in material.trained.values() for name in FACTORS]
    found = {c.name: c.fingerprint for c in components if hasattr(c, "fingerprint")}
    if found:
        yield "Classes from elsewhere", _pairs(found)


def hashes(material: Material) -> Table:
    """Checksums of the data as published and as the networks saw them."""
    rows = [
        (Entry(label), Entry("as decoded"), Entry(manifest["decoded_sha256"]))
        for label, manifest in material.datasets.items()
    ]
    rows += [
        (Entry(dataset), Entry(f"after {label}"), Entry(manifest["arrays"]["sha256"]))
        for (dataset, label), manifest in material.preprocessings.items()
    ]
    return Table(
        "table-hashes",
        "Data: SHA-256 checksums.",
        (Column("data set"), Column("state"), Column("SHA-256")),
        tuple(rows),
    )


def _period(times: Iterable[Mapping[str, str]]) -> str:
    times = list(times)
    first, last = min(time["started"] for time in times), max(time["ended"] for time in times)
    return " to ".join(moment.replace("T", " ").replace("+00:00", " UTC") for moment in (first, last))


def _distinct(values: Iterable[Any], write: Callable[[Any], str]) -> str:
    """One value that all records share, or each that occurs with the number of its cells."""
    found = Counter(json.dumps(value, sort_keys=False) for value in values)
    texts = {text: write(json.loads(text)) for text in found}
    if len(found) == 1:
        return next(iter(texts.values()))
    parts = [f"{texts[text]} ({count(number, 'cell')})" for text, number in found.items()]
    return f"The records differ: {listing(parts)}"


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items())
