"""Analyses: claims whose numbers need no training, each a small job of its own with one table.

The Snakefile reads this package with the configuration, so torch and pandas are imported by the functions that compute.
Everything is drawn by `seeding.generator`: a table has the same bits every time, but for those of measured times.
"""

from __future__ import annotations

from trainability.analyses.base import ANALYSES, Analysis
from trainability.analyses.born_dead import BornDead
from trainability.analyses.layer_cost import LayerCost
from trainability.analyses.signal import Signal
from trainability.analyses.timing import Timing
from trainability.analyses.weight_variance import WeightVariance

__all__ = ["ANALYSES", "Analysis", "BornDead", "LayerCost", "Signal", "Timing", "WeightVariance"]
