"""What a statement can be judged by: the columns of a sheet, and how two values of one are compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scale:
    """How values are compared: `position` puts each on a scale on which differences are effects.

    `unit` is what a difference of 1 is. A `censored` scale has infinite values, and medians instead of means.
    """

    position: Callable[[Array], Array]
    unit: str
    censored: bool = False

    def difference(self, treatment: Array, control: Array) -> Array:
        """The effect of each pair; two misses are alike, a miss against a hit is an infinite effect."""
        one, other = self.position(treatment), self.position(control)
        with np.errstate(invalid="ignore"):
            found = one - other
        return np.where(np.isinf(one) & (one == other), 0.0, found)


def _log2(values: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.log2(values))


SCALES: dict[str, Scale] = {
    "difference": Scale(lambda values: values, ""),
    "ratio": Scale(_log2, "doublings"),
    "censored": Scale(_log2, "doublings", censored=True),
}


@dataclass(frozen=True)
class Metric:
    """A column of a sheet. `share`: shown in per cent.

    `better` is 1 where a better learning rate makes it larger, -1 where it makes it smaller, 0 where neither is better.
    """

    title: str
    scale: Literal["difference", "ratio", "censored"] = "difference"
    better: int = 0
    share: bool = False

    def difference(self, treatment: Any, control: Any) -> Array:
        """The effect of each pair of one setting; NaN where all of both sides miss, which tells nothing of either."""
        scale, one, other = SCALES[self.scale], np.asarray(treatment, float), np.asarray(control, float)
        if scale.censored and np.isinf(scale.position(np.stack([one, other]))).all():
            return np.full_like(one, np.nan)
        return scale.difference(one, other)

    def level(self, values: Any) -> Array:
        """Single values on the scale of their effects."""
        return SCALES[self.scale].position(np.asarray(values, float))

    @property
    def censored(self) -> bool:
        return SCALES[self.scale].censored

    @property
    def unit(self) -> str:
        """What an effect of 1 is."""
        return SCALES[self.scale].unit or ("share" if self.share else "")


# Of runs: each at its cell's chosen rate, or all at one fixed rate.
METRICS: dict[str, Metric] = {
    "test_accuracy": Metric("test accuracy", better=1, share=True),
    "train_accuracy": Metric("training accuracy", better=1, share=True),
    "train_loss": Metric("training loss", "ratio", better=-1),
    "steps": Metric("steps to the middle target", "censored", better=-1),
    "learns": Metric("share of runs that learn", better=1, share=True),
    "largest_rate": Metric("largest learning rate at which a run learns", "censored"),
    "dead_fraction": Metric("dead units", share=True),
    "born_dead_fraction": Metric("units born dead", share=True),
    "saturated_fraction": Metric("saturated (unit, example) pairs", share=True),
    "initial_saturated_fraction": Metric("saturated pairs before training", share=True),
    "gradient_ratio": Metric("gradient at the first layer over the last, before training", "ratio"),
    "final_gradient_ratio": Metric("gradient at the first layer over the last, after training", "ratio"),
    "sign_agreement": Metric("agreement in sign of a unit's weight gradients, by example", share=True),
    "sign_agreement_batch": Metric("agreement in sign of a unit's weight gradients, by batch", share=True),
    "off_centre": Metric("mean activation over its root mean square", share=True),
    "distinct_units": Metric("distinct units a layer"),
    "update_ratio": Metric("norm of an update over that of the weights", "ratio"),
    "update_cosine": Metric("cosine of an update with the one before"),
}
