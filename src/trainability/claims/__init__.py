"""Statements of the textbook judged by data: claims in YAML, verdicts with their evidence in tables."""

from trainability.claims.statements import Claim, check, load, testable

__all__ = ["Claim", "check", "load", "testable"]
