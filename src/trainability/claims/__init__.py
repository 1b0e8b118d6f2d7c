"""Statements of the textbook judged by data: claims in YAML, verdicts with their evidence in tables."""

from trainability.claims.statements import TEXTBOOK, Claim, check, gather, load, testable

__all__ = ["TEXTBOOK", "Claim", "check", "gather", "load", "testable"]
