"""The tables of an experiment's verdicts: a row per statement, and a row per statement and setting."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from trainability import manifests, statistics
from trainability.claims import sheets
from trainability.claims.evidence import RATE
from trainability.claims.judging import Judgement, corrected, decide, judge, untestable, waiting
from trainability.claims.sheets import Sheet, Tables
from trainability.claims.statements import Claim, testable
from trainability.claims.verdicts import OPEN

MANIFEST = "claims.json"
SETTING_COLUMNS = (
    "claim", "setting", "estimate", "low", "high", "n", "verdict", "treatment_edge", "control_edge",
    "published_estimate",
)  # fmt: skip


def tables(claims: Iterable[Claim], source: Tables, lacking: Mapping[str, str] = {}) -> dict[str, pd.DataFrame]:
    """`claims`, a row per statement, and `evidence`, a row per statement and setting.

    `lacking` says, by name, what unfinished studies and analyses lack: statements on them are not judged yet.
    """
    judged = corrected([_judged(claim, source, lacking) for claim in claims])
    evidence = {one.claim.id: _by_setting(one) for one, _ in judged}
    return {
        "claims": pd.DataFrame([_row(one, p, evidence[one.claim.id], source) for one, p in judged]),
        "evidence": pd.DataFrame([row for rows in evidence.values() for row in rows], columns=SETTING_COLUMNS),
    }


def write(judged: Mapping[str, pd.DataFrame], folder: Path) -> None:
    """Write each table of verdicts as CSV, and claims.json about both."""
    texts = {name: table.to_csv(index=False, lineterminator="\n") for name, table in judged.items()}
    manifests.save_described(folder / MANIFEST, {f"{name}.csv": text.encode() for name, text in texts.items()})


def _judged(claim: Claim, source: Tables, lacking: Mapping[str, str]) -> Judgement:
    if not testable(claim, source.settings):
        missing = f"study {claim.study}" if claim.study else f"analysis {claim.analysis}"
        return untestable(claim, claim.elsewhere or f"this experiment has no {missing}")
    lacks = lacking.get(claim.study or claim.analysis)
    return waiting(claim, lacks) if lacks else judge(claim, source.sheet(claim))


def _row(one: Judgement, p_holm: float, settings: list[dict[str, Any]], source: Tables) -> dict[str, Any]:
    claim = one.claim
    fixed, other = _at_fixed_rates(one, source), _otherwise_counted(one, source)
    estimates = [row["estimate"] for row in settings if not np.isnan(row["estimate"])]
    found = [row["verdict"] for row in settings]
    return {
        "claim": claim.id,
        "statement": claim.statement,
        "verdict": one.verdict,
        "reason": one.reason,
        "estimate": one.estimate.value,
        "low": one.estimate.low,
        "high": one.estimate.high,
        "unit": claim.evidence.unit(claim.measure),
        "n": one.effects.shape[1],
        "settings": len(one.effects),
        "lowest_setting": min(estimates, default=float("nan")),
        "highest_setting": max(estimates, default=float("nan")),
        "by_setting": "; ".join(f"{verdict} {found.count(verdict)}" for verdict in dict.fromkeys(found)),
        "effect_size": _effect_size(one),
        "p": one.p,
        "p_holm": p_holm,
        "metric": claim.measure.title,
        "expect": claim.expect,
        "rule": claim.rule.name,
        "smallest_effect": claim.rule.smallest,
        "why": claim.rule.why,
        "treatment": claim.evidence.compared[0],
        "control": claim.evidence.compared[1],
        "compared": compared(claim),
        "evidence": claim.study or claim.analysis,
        "factors": " ".join((*claim.evidence.free, *([RATE] if claim.evidence.every_rate else []))),
        "sides": json.dumps(claim.evidence.sides),
        "held_fixed": _held_fixed(one),
        "fixed_rates": "; ".join(f"{rate:g}: {verdict}" for rate, verdict in fixed.items()),
        "changes_at_fixed_rate": any(verdict != one.verdict for verdict in fixed.values()),
        "otherwise_counted": other,
        "changes_otherwise_counted": bool(other) and other != one.verdict,
        "family": claim.family,
        "source": claim.source,
        "published": claim.published.says if claim.published else "",
        "published_estimate": claim.published.of_all(claim.expect) if claim.published else float("nan"),
        "note": claim.note,
    }


def compared(claim: Claim) -> str:
    """What is compared, as the claim's file says it."""
    parts = claim.evidence.model_dump(exclude={"name", "where"}, exclude_defaults=True)
    said = "; ".join(f"{name.replace('_', ' ')}: {value}" for name, value in parts.items())
    where = f" where {claim.evidence.where}" if claim.evidence.where else ""
    return f"{claim.evidence.name}{' of ' if said else ''}{said}{where}"


def _by_setting(one: Judgement) -> list[dict[str, Any]]:
    """A verdict for each setting by itself."""
    if one.found is None:
        return []
    sign = -1.0 if one.claim.expect == "lower" else 1.0
    varied = _varied(one.found.settings)
    rows = []
    for setting, values, edges in zip(one.found.settings, one.found.values, one.found.edges, strict=True):
        words = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in setting if name in varied)
        row: dict[str, Any] = {"claim": one.claim.id, "setting": words or "the only setting"}
        if np.isnan(values).any():
            why = "no run gets there" if one.claim.measure.censored else "no value for every seed"
            row |= {"estimate": np.nan, "low": np.nan, "high": np.nan, "verdict": why}
        else:
            verdict, estimate = decide(one.claim, sign * values[None], words)
            row |= {"estimate": estimate.value, "low": estimate.low, "high": estimate.high, "verdict": verdict}
        row |= {"n": len(values), "treatment_edge": edges[0], "control_edge": edges[1]}
        source = one.claim.published
        row["published_estimate"] = source.of_setting(dict(setting), one.claim.expect) if source else float("nan")
        rows.append(row)
    return rows


def _varied(settings: Iterable[sheets.Setting]) -> set[str]:
    """Factors in which settings differ."""
    values: dict[str, set[Any]] = {}
    for setting in settings:
        for name, value in setting:
            values.setdefault(name, set()).add(value)
    return {name for name, found in values.items() if len(found) > 1}


def _held_fixed(one: Judgement) -> str:
    """The factors that all rows share, with their values."""
    if one.found is None:
        return ""
    varied = _varied(one.found.settings)
    shared = dict(one.found.settings[0]) if one.found.settings else {}
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in shared.items() if name not in varied)


def _at_fixed_rates(one: Judgement, source: Tables) -> dict[float, str]:
    """The verdict with both sides at the same rate, for every rate of the grid."""
    claim = one.claim
    if one.verdict in OPEN or claim.analysis or claim.evidence.every_rate:
        return {}
    return {rate: _again(claim, source.sheet(claim, rate)) for rate in source.settings.learning_rates}


def _otherwise_counted(one: Judgement, source: Tables) -> str:
    """The verdict with misses counted as if they had arrived at the end of their budget."""
    if one.verdict in OPEN or one.claim.metric != "steps":
        return ""
    return _again(one.claim, sheets.misses_at_budget(source.sheet(one.claim)))


def _again(claim: Claim, sheet: Sheet) -> str:
    """The verdict on other rows, at face value."""
    judged = judge(claim.model_copy(update={"seeds": 2}), sheet)
    return judged.verdict


def _effect_size(one: Judgement) -> float:
    """Standardised mean of the units' effects (Hedges' g of paired differences), where these are finite."""
    if not one.effects.size or not np.isfinite(one.effects).all():
        return float("nan")
    return statistics.standardised(one.effects, np.zeros_like(one.effects))
