"""Whether drawn weights have the variance of their scheme's formula."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from trainability import seeding
from trainability.analyses.base import ANALYSES, Analysis, Count, Initializers, Row
from trainability.cell import Closed, as_tuple, distinct
from trainability.initializers import INITIALIZERS, Initializer, Scaled


class Fans(Closed):
    """A layer as its initialiser sees it: `kernel` x `kernel` windows of `inputs` channels, `units` units."""

    inputs: Count
    units: Count
    kernel: Count = 1

    @property
    def fan_in(self) -> int:
        return self.kernel**2 * self.inputs

    @property
    def fan_out(self) -> int:
        """Outputs that an input feeds, as `network` and torch.nn.init count them."""
        return self.kernel**2 * self.units


def _with_formula(inits: tuple[Initializer, ...]) -> tuple[Initializer, ...]:
    without = [init.label for init in inits if not isinstance(init, Scaled)]
    if without:
        raise PydanticCustomError(
            "no_variance", "no formula for the variance of {names}", {"names": ", ".join(without)}
        )
    return inits


@ANALYSES.register
class WeightVariance(Analysis):
    """The variance of drawn weights beside that of the formula, for every scheme that is a variance and a shape.

    `found` is the mean square over `draws` layers, `low` and `high` its bootstrap interval (95 %) over them. Normal and
    uniform forms share their `expected`; what tells them apart is their `kurtosis` (3 and 1.8) and the `largest` weight
    in standard deviations (sqrt 3 for a uniform form). Of a convolution the fans count the window.
    """

    formula = r"\mathrm{Var} \, W_{ij}"
    reference = "Glorot & Bengio 2010, equations 1, 12 and 16; He et al. 2015, equations 10 and 15"

    name: Literal["weight_variance"] = "weight_variance"
    inits: Annotated[Initializers, AfterValidator(_with_formula)] = tuple(
        kind() for kind in map(INITIALIZERS.__getitem__, INITIALIZERS) if issubclass(kind, Scaled)
    )
    layers: Annotated[
        tuple[Fans, ...],
        AfterValidator(distinct),
        BeforeValidator(as_tuple, json_schema_input_type=list[Fans]),
    ] = Field(
        default=(
            Fans(inputs=64, units=64),
            Fans(inputs=784, units=100),
            Fans(inputs=100, units=10),
            Fans(inputs=3, units=16, kernel=3),
            Fans(inputs=16, units=32, kernel=3),
        ),
        min_length=1,
    )
    negative_slope: float = Field(default=0.0, ge=0, lt=1, description="Of the layer's activation, for Kaiming's gain.")
    draws: int = Field(default=50, ge=2)

    def rows(self) -> list[Row]:
        return [row for layer in self.layers for row in self._of_layer(layer)]

    def _of_layer(self, layer: Fans) -> list[Row]:
        import numpy as np

        from trainability.statistics import bootstrap

        shape = (self.draws, layer.fan_in, layer.units)
        noise = seeding.generator(0, "weight variance", *shape[1:]).standard_normal(shape)
        rows = []
        for init in self.inits:
            assert isinstance(init, Scaled)
            weights = np.stack([init.draw(one, layer.fan_out, self.negative_slope) for one in noise])
            squares = np.square(weights).mean((1, 2))
            expected = init.variance(layer.fan_in, layer.fan_out, self.negative_slope)
            found = bootstrap(squares, seeding.generator(0, "bootstrap", "weight variance", init.label, *shape))
            rows.append(
                {
                    "init": init.label,
                    "fan_in": layer.fan_in,
                    "fan_out": layer.fan_out,
                    "kernel": layer.kernel,
                    "units": layer.units,
                    "draws": self.draws,
                    "expected": expected,
                    "found": found.value,
                    "low": found.low,
                    "high": found.high,
                    "kurtosis": (weights**4).mean() / found.value**2,
                    "largest": np.abs(weights).max() / expected**0.5,
                }
            )
        return rows
