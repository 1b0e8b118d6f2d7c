"""Judging: one claim and a sheet in, a verdict with all that it rests on out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trainability import seeding, statistics
from trainability.claims.metrics import Array
from trainability.claims.pairing import Effects, NothingComparedError
from trainability.claims.sheets import Sheet
from trainability.claims.statements import Claim
from trainability.claims.verdicts import CONTRADICTED, INCONCLUSIVE, NOT_TESTABLE, NOT_YET, OPEN, SUPPORTED
from trainability.statistics import Estimate, censored, intervals

UNKNOWN = Estimate(float("nan"), float("nan"), float("nan"))


@dataclass(frozen=True)
class Judgement:
    """What was found of one claim.

    `effects` [settings, units] are oriented so that the claim says they are positive (for an equivalence, as they are),
    in the settings where the metric has a value for every unit; `found` has all settings.
    """

    claim: Claim
    verdict: str
    reason: str
    effects: Array
    estimate: Estimate
    p: float = float("nan")
    found: Effects | None = None


def judge(claim: Claim, sheet: Sheet) -> Judgement:
    """The verdict on one claim from the rows that it speaks of, before the correction for the number of claims."""
    try:
        found = claim.evidence.effects(sheet, claim.measure, claim.metric)
    except NothingComparedError as error:
        return untestable(claim, str(error))
    oriented = -found.values if claim.expect == "lower" else found.values
    valued = ~np.isnan(oriented) if claim.measure.censored else np.isfinite(oriented)
    known = np.asarray(valued.all(1))
    if not known.any():
        missed = "no run of either side gets there in any setting, so that nothing tells which would sooner"
        reason = missed if claim.measure.censored else "the metric has no value for every seed in any setting"
        return Judgement(claim, INCONCLUSIVE, reason, oriented[:0], UNKNOWN, 1.0, found)
    effects = oriented[known]
    verdict, estimate = decide(claim, effects, "all")
    p = claim.rule.p_value(_by_unit(claim, effects), verdict)
    doubt = _doubt(claim, verdict, effects, found, known)
    if doubt:
        verdict = INCONCLUSIVE
    elif verdict == INCONCLUSIVE:
        doubt = "the interval holds the smallest effect of interest"
    return Judgement(claim, verdict, doubt, effects, estimate, p, found)


def untestable(claim: Claim, reason: str) -> Judgement:
    """A claim on which the experiment says nothing."""
    return Judgement(claim, NOT_TESTABLE, reason, np.zeros((0, 0)), UNKNOWN)


def waiting(claim: Claim, reason: str) -> Judgement:
    """A claim on which an unfinished experiment says nothing yet."""
    return Judgement(claim, NOT_YET, reason, np.zeros((0, 0)), UNKNOWN)


def decide(claim: Claim, effects: Array, where: str) -> tuple[str, Estimate]:
    """Verdict and 95 % interval of oriented effects [settings, units], by the claim's rule alone.

    Units are resampled jointly for all settings, by a generator that belongs to the claim and to `where`. The effect is
    the mean over settings and units; on a censored scale the median, in which misses are infinite.
    """
    summary = _median if claim.measure.censored else intervals.mean
    wide, deciding = (
        statistics.bootstrap(effects, seeding.generator(0, "claims", claim.id, where), summary, confidence)
        for confidence in (0.95, claim.rule.confidence)
    )
    return claim.rule.verdict(deciding, wide), wide


def corrected(judgements: Sequence[Judgement]) -> list[tuple[Judgement, float]]:
    """Judgements with p adjusted within their families (Holm 1979); a verdict that does not survive is inconclusive.

    Members that are not judged yet count with p = 1. No other p that they may get makes an adjusted one larger, so a
    verdict that survives is final; one that would survive without them hangs on them, and is not judged yet either.
    """
    families: dict[str, list[Judgement]] = {}
    for one in judgements:
        if one.verdict not in OPEN:
            families.setdefault(one.claim.family, []).append(one)
    later = Counter(one.claim.family for one in judgements if one.verdict == NOT_YET)
    adjusted: dict[str, float] = {}
    alone: dict[str, float] = {}
    for family, members in families.items():
        p = np.array([one.p for one in members])
        names = [one.claim.id for one in members]
        adjusted |= zip(names, map(float, statistics.holm(np.append(p, np.ones(later[family])))), strict=False)
        alone |= zip(names, map(float, statistics.holm(p)), strict=True)
    found = []
    for one in judgements:
        family = one.claim.family
        size = len(families.get(family, [])) + later[family]
        most, least = (values.get(one.claim.id, float("nan")) for values in (adjusted, alone))
        settled = _surviving(one, most, least, size, later[family])
        found.append((settled, float("nan") if settled.verdict in OPEN else most))
    return found


def _surviving(one: Judgement, most: float, least: float, size: int, later: int) -> Judgement:
    """A judgement after the correction, which makes p `most` at the most and `least` at the least."""
    if one.verdict not in (SUPPORTED, CONTRADICTED) or most <= one.claim.rule.level:
        return one
    if least <= one.claim.rule.level:
        return waiting(one.claim, f"its p is corrected for {size} statements of its family, of which {later} wait")
    reason = f"p = {most:.2g} after Holm's correction for the {size} statements of its family"
    return replace(one, verdict=INCONCLUSIVE, reason=reason)


def _doubt(claim: Claim, verdict: str, effects: Array, found: Effects, known: NDArray[np.bool_]) -> str:
    """Why a verdict cannot be relied upon, or nothing."""
    if verdict == INCONCLUSIVE:
        return ""
    if effects.shape[1] < claim.seeds:
        return f"{effects.shape[1]} {claim.unit}s, and at least {claim.seeds} are asked for"
    inside = effects[~_edges(claim, verdict, found)[known]]
    if not len(inside) or decide(claim, inside, "inside")[0] != verdict:
        return "a rate on the edge of its grid was chosen where a better one beyond could change the verdict"
    return ""


def _edges(claim: Claim, verdict: str, found: Effects) -> NDArray[np.bool_]:
    """Settings [settings] in which a better rate beyond the grid could change the verdict.

    It would help the side that it belongs to: what matters is the side that the verdict went against, and for an
    equivalence either.
    """
    edges = np.array(found.edges)
    better = claim.measure.better
    if not better or claim.evidence.every_rate:
        return np.zeros(len(edges), dtype=bool)
    if claim.expect == "either":
        return np.asarray(edges.any(1))
    favours_treatment = (claim.expect == "higher") == (better > 0)
    return np.asarray(edges[:, 1 if favours_treatment == (verdict == SUPPORTED) else 0])


def _median(sample: Array) -> Array:
    """Median over settings and units, [..., S, units] to [S]."""
    return censored.median(intervals.pooled(sample))


def _by_unit(claim: Claim, effects: Array) -> Array:
    """One effect per unit, over settings: [units]."""
    if claim.measure.censored:
        return np.asarray(censored.median(effects.T))
    return np.asarray(effects.mean(0))
