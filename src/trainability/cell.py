"""The cell: one combination of all factors, its identity and its name.

A cell's key is its main factors, readable, and a hash of all its parameters in canonical form, e.g.
`digits.standardize.relu.kaiming_normal.batchnorm-3f9a1c2d`. This module writes keys and nothing ever splits one:
whoever has a key looks its cell up in the plan.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from trainability import blueprint
from trainability.activations import ACTIVATIONS, Activation, Relu
from trainability.architectures import ARCHITECTURES, Architecture, Mlp
from trainability.augmentations import AUGMENTATIONS, Augmentation, NoAugmentation
from trainability.datasets import DATASETS, Dataset, Digits
from trainability.initializers import INITIALIZERS, Initializer, KaimingNormal
from trainability.normalizations import NORMALIZATIONS, NoNormalization, Normalization
from trainability.optimizers import OPTIMIZERS, Optimizer, Sgd
from trainability.preprocessing import PREPROCESSINGS, Preprocessing, Standardize
from trainability.rate_schedules import SCHEDULES, ConstantRate, RateSchedule

MOST_RUNS = 10_000  # in one cell


class Closed(BaseModel):
    """A part of the configuration that admits no other keys than its own."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def distinct(values: Any) -> Any:
    counts = Counter(map(_identity, values))
    repeated = sorted({str(value) for value in values if counts[_identity(value)] > 1})
    if repeated:
        raise PydanticCustomError("repeated", "each value once: {repeated} repeated", {"repeated": ", ".join(repeated)})
    return values


def _identity(value: Any) -> Any:
    """What two values have in common if they are equal; a foreign component may hold a list, which has no hash."""
    return value.model_dump_json() if isinstance(value, BaseModel) else value


def as_tuple(values: Any) -> Any:
    return tuple(values) if isinstance(values, list) else values


def _counted(values: Any) -> Any:
    """`8` means the seeds 0 to 7."""
    if isinstance(values, bool) or not isinstance(values, (int, list, tuple)):
        raise PydanticCustomError("seeds", "expected a list of seeds, or how many there are")
    if isinstance(values, int) and not 0 < values <= MOST_RUNS:
        raise PydanticCustomError("seeds", "expected a number of seeds between 1 and {most}", {"most": MOST_RUNS})
    return tuple(range(values)) if isinstance(values, int) else as_tuple(values)


Seeds = Annotated[
    tuple[Annotated[int, Field(ge=0, lt=2**31)], ...],
    Field(min_length=1),
    AfterValidator(distinct),
    AfterValidator(lambda values: tuple(sorted(values))),
    BeforeValidator(_counted, json_schema_input_type=int | list[int]),
]
LearningRates = Annotated[
    tuple[Annotated[float, Field(gt=0)], ...],
    Field(min_length=1),
    AfterValidator(distinct),
    AfterValidator(lambda values: tuple(sorted(values))),
    BeforeValidator(as_tuple, json_schema_input_type=list[float]),
]
if TYPE_CHECKING:  # a type checker cannot follow the unions that the registries build at run time
    OneDataset = Dataset
    OnePreprocessing = Preprocessing
    OneArchitecture = Architecture
    OneAugmentation = Augmentation
    OneActivation = Activation
    OneInitializer = Initializer
    OneNormalization = Normalization
    OneOptimizer = Optimizer
    OneSchedule = RateSchedule
else:
    OneDataset = DATASETS.field
    OnePreprocessing = PREPROCESSINGS.field
    OneArchitecture = ARCHITECTURES.field
    OneAugmentation = AUGMENTATIONS.field
    OneActivation = ACTIVATIONS.field
    OneInitializer = INITIALIZERS.field
    OneNormalization = NORMALIZATIONS.field
    OneOptimizer = OPTIMIZERS.field
    OneSchedule = SCHEDULES.field


class Factors(Closed):
    """Everything that can vary between cells, with the values that hold where nothing else is said."""

    dataset: OneDataset = Field(default_factory=Digits, description="Which images are classified.")
    preprocessing: OnePreprocessing = Field(
        default_factory=Standardize, description="What happens to the pixels first."
    )
    augmentation: OneAugmentation = Field(
        default_factory=NoAugmentation, description="How training images change every time they are seen."
    )
    architecture: OneArchitecture = Field(default_factory=Mlp, description="How depth and width become layers.")
    activation: OneActivation = Field(default_factory=Relu, description="Non-linearity of all hidden units.")
    init: OneInitializer = Field(default_factory=KaimingNormal, description="How the weights start.")
    bias: float = Field(default=0.0, description="Initial bias of hidden units; none before a normalization.")
    normalization: OneNormalization = Field(
        default_factory=NoNormalization, description="What stands beside every activation."
    )
    dropout: float = Field(default=0.0, ge=0, lt=1, description="Share of hidden activations dropped.")
    input_dropout: float = Field(default=0.0, ge=0, lt=1, description="Share of inputs dropped.")
    depth: int = Field(default=5, ge=1, le=200, description="Hidden layers.")
    width: int = Field(default=64, ge=1, le=16384, description="Units a hidden layer; of a CNN, of its first stage.")
    sizing: Literal["width", "parameters", "flops"] = Field(
        default="width",
        description="What is compared at equal cost: the width, or the parameters or FLOPs of plain units that wide.",
    )
    optimizer: OneOptimizer = Field(default_factory=Sgd, description="How gradients become updates.")
    label_smoothing: float = Field(default=0.0, ge=0, lt=1, description="Share of a label spread over all classes.")
    gradient_clipping: float = Field(
        default=0.0, ge=0, description="Largest norm of a run's gradient, longer ones are cut to it; 0 for no limit."
    )
    schedule: OneSchedule = Field(default_factory=ConstantRate, description="How the learning rate changes.")
    batch_size: int = Field(default=32, ge=1, description="Examples a step.")
    epochs: int = Field(default=20, ge=1, le=10_000, description="Passes over the training split.")
    probe_examples: int = Field(
        default=2048, ge=2, description="Training examples on which loss and units are measured, at most."
    )


FACTORS: tuple[str, ...] = tuple(Factors.model_fields)


class Cell(Factors):
    """One combination of all factors, with the seeds and learning rates that it trains as one stack."""

    seeds: Seeds
    learning_rates: LearningRates

    @functools.cached_property
    def key(self) -> str:
        """Name of the cell's folder and of its job."""
        main = (self.dataset, self.preprocessing, self.activation, self.init, self.normalization)
        digest = hashlib.sha256(self.canonical.encode()).hexdigest()[:8]
        return f"{'.'.join(component.slug for component in main)}-{digest}"

    @functools.cached_property
    def canonical(self) -> str:
        """All parameters as JSON, defaults written out, keys sorted, numbers in one spelling."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))

    @functools.cached_property
    def labels(self) -> dict[str, Any]:
        """The factors as columns of a table and as names of an expression: labels, numbers and text."""
        return {name: _column(getattr(self, name)) for name in FACTORS}

    @property
    def inputs(self) -> str:
        """Folder of the preprocessed arrays that the cell is trained on, below `results/data`."""
        return f"{self.dataset.slug}/{self.preprocessing.slug}"

    @property
    def image(self) -> blueprint.Grid:
        """One example as a grid of positions and channels."""
        return blueprint.grid(self.dataset.image_shape)

    @property
    def runs(self) -> list[tuple[int, float]]:
        """(seed, learning rate) of every run, in the order of the stack: seed by seed."""
        return list(itertools.product(self.seeds, self.learning_rates))

    @classmethod
    def from_canonical(cls, text: str) -> Cell:
        """The cell that `canonical` describes."""
        return cls.model_validate_json(text)


def _column(value: Any) -> Any:
    return getattr(value, "label", value)
