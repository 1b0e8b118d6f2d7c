"""Titles, captions and alternative texts: templates that are data, filled with numbers from the drawing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import yaml

from trainability.figures import scales
from trainability.figures.canvas import Drawing
from trainability.figures.experiment import Experiment, listed


def load(path: Path) -> dict[str, dict[str, str]]:
    """The templates by figure: `caption` and `alt` each."""
    templates: dict[str, dict[str, str]] = yaml.safe_load(path.read_text())
    return templates


def describe(
    templates: Mapping[str, Mapping[str, str]],
    name: str,
    title: str,
    experiment: Experiment,
    drawing: Drawing,
) -> dict[str, str]:
    """Title, alternative text and caption of a figure, and a note where it has a remark to make.

    Raises jinja2.UndefinedError if a template names a fact that neither the experiment nor the drawing knows.
    """
    nothing = drawing.facts.get("nothing")
    if nothing:
        return {"title": title, "alt": nothing, "caption": nothing, "note": nothing}
    facts = common(experiment) | drawing.facts
    alt, caption = (_filled(templates[name][part], facts) for part in ("alt", "caption"))
    note = " ".join(drawing.remarks)
    words = {"title": title, "alt": alt, "caption": f"{caption} {note}".strip()}
    return words | ({"note": note} if note else {})


def common(experiment: Experiment) -> dict[str, Any]:
    """What every caption may say: n, the base, the budget."""
    settings = experiment.settings
    base = settings.base
    return {
        "n": len(settings.seeds),
        "seeds": f"n = {len(settings.seeds)} " + ("seed" if len(settings.seeds) == 1 else "seeds"),
        "dataset": base.dataset.label,
        "init": base.init.label,
        "preprocessing": base.preprocessing.label,
        "normalization": base.normalization.label,
        "depth": base.depth,
        "width": base.width,
        "epochs": base.epochs,
        "steps": experiment.budget,
        "rates": list(settings.learning_rates),
        "target": experiment.target,
        "targets": sorted(settings.targets),
        "chance": experiment.chance,
        "unfinished": len(experiment.unfinished),
        "shown_accuracies": [scales.LOWEST, scales.HIGHEST],
        "net": f"{base.depth} hidden layers of {base.width} units on {base.dataset.label}",
    }


def percent(value: float) -> str:
    """`97.4 %`, with no more digits than say something."""
    if not math.isfinite(value):
        return "undefined"
    digits = 1 if round(100 * value, 1) % 1 else 0
    return f"{100 * value:.{digits}f} %"


def number(value: float) -> str:
    """Three digits: `0.00123`, `1.5e-07`; an infinite one is `never`."""
    return "never" if math.isinf(value) else "undefined" if math.isnan(value) else f"{value:.3g}"


def _filled(template: str, facts: Mapping[str, Any]) -> str:
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)
    environment.filters |= {
        "percent": percent,
        "number": number,
        "listed": lambda words: listed([str(word) for word in words]),
        "percents": lambda values: listed([percent(value) for value in values]),
    }
    return " ".join(environment.from_string(template).render(facts).split())
