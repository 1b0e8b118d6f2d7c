"""Results that a test changes on purpose, with checksums that agree with the change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from trainability import files, manifests, record

MANIFESTS = {"runs": "tables", "cells": "tables", "curves": "tables", "layers": "tables", "evidence": "claims"}
MANIFESTS |= {"claims": "claims", "plan": "plan", "config": "plan"}


def sealed(path: Path) -> Path:
    """Let a table's manifest, or that of an analysis or a figure, describe the files as they are now; `path` again."""
    manifest = path.with_name(f"{MANIFESTS.get(path.stem, path.stem)}.json")
    content = json.loads(manifest.read_bytes())
    for entry in manifests.descriptions(content):
        entry |= manifests.described(entry["file"], manifest.with_name(entry["file"]).read_bytes())
    manifest.write_bytes(seal(content))
    return path


def seal(content: Any) -> bytes:
    """A manifest with its checksum, also one that no program would write."""
    if not isinstance(content, dict):
        return json.dumps(content).encode()
    text = json.dumps({key: value for key, value in content.items() if key != "sha256"}, indent=2)
    start = text.removesuffix("}").rstrip().encode()
    return start + f',\n  "sha256": "{files.checksum(start)}"\n}}\n'.encode()


def differing(content: dict[str, Any]) -> dict[str, Any]:
    """A record with another loss in its first run, and so another digest."""
    runs = [content["runs"][0] | {"train_loss": -1.0}, *content["runs"][1:]]
    digest = record.digest_of(runs, content["selected_learning_rate"], content["selected_edge"], content["tables"])
    return content | {"runs": runs, "digest": digest}
