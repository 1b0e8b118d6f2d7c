"""A tidy data package: every table as CSV and Parquet, what its columns mean, licence and citation, and one zip of all.

`datapackage.json` follows Frictionless Data Package 1 (specs.frictionlessdata.io): a CSV is a tabular resource with a
schema; what a schema has no word for, a column's `unit`, stands beside it. Numbers are written as that standard reads
them, an infinite one as INF and a missing one as an empty field.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from trainability import files, manifests, plan
from trainability.cell import FACTORS
from trainability.claims.outcome import MANIFEST
from trainability.claims.statements import TEXTBOOK
from trainability.exports import Choice, ExportError
from trainability.exports.dictionary import FIGURE, Column, Dictionary, Sheet
from trainability.exports.results import Results
from trainability.figures import FIGURES

ROOT = Path(__file__).parents[3]
ZIP = "datapackage.zip"
KEPT = ("runs", "cells", "curves", "layers")  # as Parquet in the results
WRITTEN = {"plan": plan.MANIFEST, "claims": MANIFEST, "evidence": MANIFEST}  # as CSV, each with what describes it
TYPES = {"string": "str", "integer": "Int64", "number": "float64", "boolean": "boolean"}
MEDIA = {
    "csv": "text/csv", "parquet": "application/vnd.apache.parquet", "json": "application/json",
    "yaml": "application/yaml", "cff": "application/yaml", "md": "text/markdown", "": "text/plain",
}  # fmt: skip
YEAR_OF_ZIP = (1980, 1, 1, 0, 0, 0)  # the first that a zip can hold: no file in it has a time


@dataclass(frozen=True)
class Described:
    """A table with the words of the dictionary; `stem` is its path in the package without an ending."""

    stem: str
    frame: pd.DataFrame
    sheet: Sheet
    columns: tuple[Column, ...]


def export(results: Results, out: Path, choice: Choice) -> str:
    """Write the package's files below `out`, and beside them a zip of all."""
    contents: dict[str, bytes] = {}
    resources = []
    described = list(_tables(results, Dictionary()))
    for table in described:
        for kind, content in (("csv", to_csv(table)), ("parquet", to_parquet(table.frame))):
            if kind == "parquet" and table.stem.startswith("figures/"):
                continue  # small, and meant to be read with the figure
            contents[f"{table.stem}.{kind}"] = content
            resources.append(_resource(f"{table.stem}.{kind}", content, table))
    others = _others(results) | {"DICTIONARY.md": dictionary_page(results, described).encode()}
    resources += [_resource(path, content) for path, content in others.items()]
    contents |= others
    package = _package(results) | {"resources": resources}
    text = json.dumps(package, indent=2, ensure_ascii=False, allow_nan=False)
    contents = {"datapackage.json": (text + "\n").encode(), **contents}
    for path, content in contents.items():
        files.write_atomically(out / path, content)
    files.write_atomically(out / ZIP, zipped(contents))
    return f"{len(described)} tables, datapackage.json, DICTIONARY.md and {ZIP} of all in {out}"


def to_csv(table: Described) -> bytes:
    """A table as Frictionless reads it: true and false, INF and -INF, nothing where there is no value."""
    columns = {}
    for column in table.columns:
        values = table.frame[column.name]
        if column.type == "boolean":
            values = values.astype(object).where(values.isna(), values.map({True: "true", False: "false"}))
        elif column.type == "number" and np.isinf(values).any():
            values = values.astype(object).where(values != np.inf, "INF").where(values != -np.inf, "-INF")
        columns[column.name] = values
    return pd.DataFrame(columns).to_csv(index=False, lineterminator="\n").encode()


def to_parquet(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False, compression="zstd")
    return buffer.getvalue()


def zipped(contents: dict[str, bytes]) -> bytes:
    """Files as a zip whose bytes depend on nothing but them."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, content in sorted(contents.items()):
            entry = zipfile.ZipInfo(path, YEAR_OF_ZIP)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, content)
    return buffer.getvalue()


def dictionary_page(results: Results, tables: list[Described]) -> str:
    """The dictionary for people, in Markdown."""
    lines = [f"# Data dictionary: {results.settings.title}", ""]
    lines += ["Empty fields of a CSV are missing values, INF is an infinite number. Shares have the unit 1.", ""]
    for table in tables:
        key = (
            f" Rows are identified by {', '.join(f'`{name}`' for name in table.sheet.key)}." if table.sheet.key else ""
        )
        lines += [f"## {table.sheet.title}: `{table.stem}`", "", f"{table.sheet.text}{key}", ""]
        lines += ["| column | type | unit | meaning | values |", "| --- | --- | --- | --- | --- |"]
        for column in table.columns:
            values = ", ".join(value or "(empty)" for value in column.values)
            cells = (f"`{column.name}`", column.type, column.unit, column.text, values)
            lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
        lines.append("")
    return "\n".join(lines)


def _tables(results: Results, dictionary: Dictionary) -> Iterator[Described]:
    folder = results.folder
    for name in KEPT:
        yield _described(f"tables/{name}", results.table(name), name, dictionary, results)
    for name, manifest in WRITTEN.items():
        frame = _read(folder / "tables" / manifest, f"{name}.csv", name, dictionary)
        yield _described(f"tables/{name}", frame, name, dictionary, results)
    for name, analysis in results.settings.analyses.items():
        if analysis is not None:
            frame = _read(folder / "analyses" / f"{name}.json", f"{name}.csv", analysis.name, dictionary)
            yield _described(f"analyses/{name}", frame, analysis.name, dictionary, results)
    for name, words in results.figures().items():
        frame = _read(folder / "figures" / f"{name}.json", f"{name}.csv", FIGURE, dictionary)
        one = _described(f"figures/{name}", frame, FIGURE, dictionary, results)
        yield replace(one, sheet=replace(one.sheet, title=FIGURES[name].title, text=words["caption"]))


def _described(stem: str, frame: pd.DataFrame, table: str, dictionary: Dictionary, results: Results) -> Described:
    columns = [dictionary.column(table, str(name)) for name in frame]
    if table in ("runs", "cells", "plan"):  # these hold no other values of a factor than the plan
        columns = [
            replace(
                column, values=tuple(dict.fromkeys(cell.cell.labels[column.name] for cell in results.plan.values()))
            )
            if column.name in FACTORS and column.type == "string"
            else column
            for column in columns
        ]
    kinds = {column.name: TYPES[column.type] for column in columns if column.type in ("integer", "boolean")}
    return Described(stem, frame.astype(kinds), dictionary.sheets[table], tuple(columns))


def _read(manifest: Path, name: str, table: str, dictionary: Dictionary) -> pd.DataFrame:
    """A CSV of the results; nothing in it is guessed: the dictionary says what each column holds."""
    path, content = manifest.with_name(name), manifests.read_beside(manifest, name)
    try:
        text = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)
    except pd.errors.EmptyDataError:  # behind a figure that has nothing to show
        return pd.DataFrame()
    return pd.DataFrame(
        {name: _parsed(values, dictionary.column(table, str(name)), path) for name, values in text.items()}
    )


def _parsed(values: pd.Series[str], column: Column, path: Path) -> pd.Series[Any]:
    try:
        if column.type == "boolean":
            return values.map({"True": True, "False": False, "": pd.NA}).astype("boolean")
        if column.type == "string":
            return values
        return pd.to_numeric(values.replace("", np.nan)).astype(TYPES[column.type])
    except (ValueError, TypeError) as error:
        raise files.CorruptFileError(f"{path}: column {column.name} is no {column.type} throughout ({error})") from None


def _others(results: Results) -> dict[str, bytes]:
    """Files that are no tables, by their path in the package."""
    sources = {
        "config.json": results.folder / "tables" / "config.json",
        "claims/textbook.yaml": TEXTBOOK,
        **{f"claims/{Path(name).name}": Path(name) for name in results.settings.claims},
        "LICENSE": ROOT / "LICENSE",
        "CITATION.cff": ROOT / "CITATION.cff",
    }
    try:
        return {path: source.read_bytes() for path, source in sources.items()}
    except OSError as error:
        raise ExportError(
            f"{error.filename}, which belongs into the package, cannot be read ({error.strerror})"
        ) from None


def _package(results: Results) -> dict[str, Any]:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    licence = citation["license"]
    return {
        "profile": "data-package",
        "name": "trainability",
        "title": results.settings.title,
        "description": "Results of an experiment with the benchmark trainability. DICTIONARY.md says what each column "
        "means, config.json what was asked, and CITATION.cff how to cite it.",
        "version": citation["version"],
        "licenses": [{"name": licence, "path": "LICENSE", "title": f"{licence} License"}],
        "contributors": [{"title": _name(author), "role": "author"} for author in citation["authors"]],
        "keywords": citation["keywords"],
        "citation": f"{', '.join(map(_name, citation['authors']))} ({citation['date-released'].year}). "
        f"{citation['title']} (version {citation['version']}).",
    }


def _name(author: dict[str, str]) -> str:
    """An author of CITATION.cff, a person or a group."""
    return author.get("name") or " ".join(author[part] for part in ("given-names", "family-names") if part in author)


def _resource(path: str, content: bytes, table: Described | None = None) -> dict[str, Any]:
    ending = path.rsplit(".", 1)[-1].lower() if "." in path else ""
    name = "".join(sign if sign.isalnum() else "-" for sign in path.lower().removesuffix(".csv"))
    tabular = table is not None and ending == "csv"
    found: dict[str, Any] = {
        "name": name,
        "path": path,
        "profile": "tabular-data-resource" if tabular else "data-resource",
        "type": "table" if tabular else "file",  # of version 2: readers must not guess what a Parquet file holds
        **({"title": table.sheet.title, "description": table.sheet.text} if table else {}),
        **({"format": ending} if ending else {}),
        "mediatype": MEDIA[ending],
        "bytes": len(content),
        "hash": f"sha256:{files.checksum(content)}",
    }
    if ending != "parquet":
        found["encoding"] = "utf-8"
    if tabular and table:
        found["schema"] = _schema(table)
    return found


def _schema(table: Described) -> dict[str, Any]:
    key = {"primaryKey": list(table.sheet.key)} if table.sheet.key else {}
    return {"fields": [_field(column) for column in table.columns], "missingValues": [""], **key}


def _field(column: Column) -> dict[str, Any]:
    """A column as a field; an empty string is a missing value to a CSV, and so no value that could be listed."""
    values = [value for value in column.values if value]
    return {
        "name": column.name,
        "type": column.type,
        "description": column.text,
        **({"unit": column.unit} if column.unit else {}),
        **({"constraints": {"enum": values}} if values else {}),
    }
