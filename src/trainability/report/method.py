"""How it was measured, written from the configuration and from the constants that the code uses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from trainability import health, outcome, schedule, statistics
from trainability.cell import Factors
from trainability.claims import Claim
from trainability.claims.verdicts import Equivalent, Exceeds
from trainability.report import sentences
from trainability.report.material import Material
from trainability.report.wording import PERCENT, count, goal, listing, plain, short

RECIPE = ("optimizer", "schedule", "batch_size", "epochs", "augmentation", "label_smoothing", "gradient_clipping")
RULES_IN_USE = {rule.name: rule for rule in (Exceeds(by=0.0, why="any"), Equivalent(within=1.0, why="any"))}
NOUNS = {"init": "initialisation", "optimizer": "optimiser"}


def items(material: Material) -> tuple[tuple[str, str], ...]:
    """What is said about the method, by term."""
    return (
        *data(material),
        ("Preprocessing", preprocessing(material)),
        ("Network", network(material)),
        ("Training", optimisation(material)),
        ("Seeds", seeds(material)),
        ("Learning rate", learning_rate(material)),
        ("Evaluation", evaluation(material)),
        ("Convergence", convergence(material)),
        ("Dead and saturated units", dead(material)),
        ("Diverged and stalled runs", failures(material)),
        ("Intervals", intervals()),
        ("Verdicts", verdicts()),
        ("What verdicts rest on", doubts()),
    )


def data(material: Material) -> Iterator[tuple[str, str]]:
    """Sizes of the splits, from the manifests of the data sets."""
    for label, manifest in material.datasets.items():
        sizes, shape = manifest["sizes"], manifest["image_shape"]
        lengths = " \N{MULTIPLICATION SIGN} ".join(map(str, shape))
        kind = f"images of {lengths} pixels" if len(shape) > 1 else f"examples of {count(shape[0], 'feature')}"
        yield (
            f"Data: {label}",
            f"{sizes['train']:,} training, {sizes['validation']:,} validation and {sizes['test']:,} test {kind} "
            f"in {manifest['classes']} classes. The split is the same for all cells and seeds.",
        )


def preprocessing(material: Material) -> str:
    """Which preprocessings there are, and what they may see."""
    labels = list(dict.fromkeys(label for _, label in material.preprocessings))
    which = f"`{labels[0]}` throughout" if len(labels) == 1 else f"{len(labels)} kinds: {listing(_code(labels))}"
    return f"{which}. Each is fitted on the training split alone and then applied to all three."


def network(material: Material) -> str:
    """The architecture at the base setting."""
    base = material.settings.base
    first = " in the first stage" if base.architecture.needs_image else ""
    text = (
        f"Architecture `{base.architecture.label}`: {count(base.depth, 'hidden layer')} of {count(base.width, 'unit')}"
        f"{first}, and a linear output layer with softmax and cross-entropy. Base setting: {listing(_base(material))}. "
        f"Hidden biases start at {base.bias:g}; the output layer's weights start by the same scheme as the others, its "
        "bias at 0."
    )
    if material.varied:
        text += f" Studies vary {listing(NOUNS.get(name, name) for name in material.varied)}."
    return text


def optimisation(material: Material) -> str:
    """Optimiser, batches and length of training."""
    base = material.settings.base
    options = base.optimizer.model_dump(mode="json", exclude={"name"})
    inside = ", ".join(f"{key.replace('_', ' ')} {_value(value)}" for key, value in options.items())
    lengths = sorted(set(material.cells["steps"]))
    last = f"{lengths[0]:,} steps" if len(lengths) == 1 else f"{lengths[0]:,} to {lengths[-1]:,} steps"
    varied = [NOUNS.get(n, n).replace("_", " ") for n in RECIPE if n in material.varied]
    return (
        f"`{base.optimizer.name}` ({inside}), batches of {base.batch_size}, {count(base.epochs, 'epoch')}; runs last "
        f"{last}. {'At the base setting: studies vary the ' + listing(varied) + '. ' if varied else ''}The training "
        f"split is shuffled anew every epoch. Nothing is stopped early. {' '.join(_recipe(base))}"
    )


def _recipe(base: Factors) -> Iterator[str]:
    """What else a step does, at the base setting; what is not done is not said."""
    constant = base.schedule.label == "constant"
    yield "The rate does not decay." if constant else f"The rate follows the schedule `{base.schedule.label}`."
    if not base.augmentation.identity:
        yield f"Training images are augmented by `{base.augmentation.label}`, drawn once for all cells of a seed."
    if base.label_smoothing:
        yield f"Labels are smoothed by {base.label_smoothing:g}."
    if base.gradient_clipping:
        yield f"A run's gradient is cut to a norm of {base.gradient_clipping:g}."


def seeds(material: Material) -> str:
    """Number and pairing of seeds."""
    numbers = material.settings.seeds
    if len(numbers) == 1:
        return f"One seed ({numbers[0]}): differences between cells cannot be told from chance here."
    return (
        f"{len(numbers)} seeds ({short(numbers)}). A seed gives every cell the same order of batches and the same "
        "base random draws for its weights, so that cells can be compared seed by seed."
    )


def learning_rate(material: Material) -> str:
    """How the rate is chosen."""
    rates = material.settings.learning_rates
    grid = listing(f"{rate:g}" for rate in rates)
    if len(rates) == 1:
        return f"All runs train at {grid}: nothing is tuned, and cells are compared at this rate only."
    return (
        f"Every cell trains every seed at {grid}. Its rate is the one with the best mean validation accuracy after "
        "the last step (a diverged run counts as 0; ties go to the lower validation loss). All other figures of the "
        "cell are those at that rate. Test data take no part in the choice."
    )


def evaluation(material: Material) -> str:
    """When a run is looked at."""
    totals = {
        record["network"]["steps_per_epoch"] * material.trained[key].epochs for key, record in material.records.items()
    }
    probe = listing(f"{size:,}" for size in sorted({r["network"]["probe_examples"] for r in material.records.values()}))
    return (
        f"Validation loss and accuracy are taken {_count(schedule.evaluations, totals)} times: before training, then "
        f"from step {schedule.FIRST} at steps that grow by a factor of the square root of 2, and after the last one. "
        f"At {_count(schedule.probes, totals)} of these, a factor of {schedule.PROBE_RATIO:.0f} apart, what happens "
        f"inside the layers and the training loss are measured too, on a fixed probe of {probe} training images. "
        "Validation and test use the running statistics of batch normalization, the probe its batch statistics. Final "
        "figures are those after the last step, never those of the best epoch."
    )


def _count(steps: Callable[[int], list[int]], totals: set[int]) -> str:
    """How often trainings of these lengths are looked at."""
    counts = sorted({len(steps(total)) for total in totals})
    return f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def convergence(material: Material) -> str:
    """What counts as converged, and what becomes of the runs that do not get there."""
    targets = listing(goal(target) for target in material.settings.targets)
    return (
        f"Steps until an evaluation first shows a validation accuracy of {targets}. A run that never does counts as "
        "infinitely slow in the median. The expected running time (Hansen et al. 2009) is the steps that all seeds "
        "spent until they got there, or until the end, divided by the number of those that did: the steps to the "
        "first success if failed runs are started again."
    )


def dead(material: Material) -> str:
    """Definitions with the thresholds of `health`."""
    return (
        f"A unit is dead when the slope of its activation is at most {health.DEAD:g} of the steepest possible on "
        "every image of the probe, so that no image moves its incoming weights; of a unit with several pieces "
        "(maxout, glu) each piece is judged. Born dead: dead before the first step. Revived: dead at some evaluation, "
        f"alive at the last. Saturated: share of (unit, image) pairs whose slope is below {health.SATURATED:g} of the "
        f"steepest. The looser threshold for comparison is {health.DEAD_LOOSE:g}, the strict one 0."
    )


def failures(material: Material) -> str:
    """Definitions with the constants of `outcome`."""
    return (
        "Diverged: the loss stops being a finite number, or the final training loss is above "
        f"{outcome.DIVERGED_FACTOR:g} times the initial one. Stalled: validation accuracy is never more than "
        f"{outcome.CHANCE_DEVIATIONS:g} standard errors above the share of the largest class. Both are results, not "
        "errors: such a run keeps its place in every table as a miss."
    )


def intervals() -> str:
    """What the brackets are."""
    return (
        f"95{PERCENT} intervals over seeds: the expanded percentile bootstrap (Hesterberg 2015) with "
        f"{statistics.RESAMPLES:,} resamples for means and medians, Wilson's score interval for shares of seeds. They "
        "say how much a figure would move with other seeds. They say nothing about other data, sizes or rates, and "
        "they are not corrected for the number of comparisons."
    )


def verdicts() -> str:
    """The rules, with their constants."""
    larger, alike = RULES_IN_USE["exceeds"], RULES_IN_USE["equivalent"]
    wide, narrow = (f"{100 * rule.confidence:g}{PERCENT}" for rule in (larger, alike))
    return (
        "A statement names what is compared and the smallest effect of interest, both written down before the "
        "results. Treatment and control are paired seed by seed within each setting, which is the values of all other "
        "factors. The effect is the mean over settings and seeds; of steps and rates the median, in which a run that "
        "never reaches its target is infinitely slow. Its interval resamples the seeds of all settings together "
        f"({statistics.RESAMPLES:,} resamples). Supported: the whole {wide} interval lies on the statement's side of "
        "the smallest effect; contradicted: all of it lies on the other side, be the effect opposite or too small; "
        f"else inconclusive. That there is no difference is supported where the {narrow} interval lies within the "
        f"bounds (two one-sided tests, Schuirmann 1987), and contradicted where the {wide} interval lies outside them."
    )


def doubts() -> str:
    """What makes a verdict inconclusive after all, and how else it is judged."""
    larger, alike = RULES_IN_USE["exceeds"], RULES_IN_USE["equivalent"]
    seeds = Claim.model_fields["seeds"].default
    return (
        "p is that of a one-sided, exact sign test over seeds, corrected by Holm's method (1979) for the statements "
        f"of a family; a verdict with more than {larger.level:g} ({alike.level:g} for no difference) is inconclusive. "
        f"So is one on fewer seeds than the statement asks for, {seeds} where it says nothing else, and one that does "
        "not stand without the settings in which a rate was chosen on the edge of the grid, if a better rate beyond it "
        "would have helped the other side. Each is judged again with both sides at one fixed rate, and statements "
        "about steps with misses counted as arrivals at the end of training; these, and verdicts on single settings, "
        "are at face value, without a correction."
    )


def limits(material: Material) -> tuple[str, ...]:
    """What the results do not show."""
    settings = material.settings
    first = next(iter(material.trained.values()))
    fixed = [
        f"{name.replace('_', ' ')} {plain(value)}"
        for name, value in first.labels.items()
        if name not in material.varied
    ]
    return (
        f"Held fixed in all cells: {listing(fixed)}. What is found here holds for these values; elsewhere it may not.",
        f"{sentences.edges(material.cells)} The grid was {listing(f'{rate:g}' for rate in settings.learning_rates)}.",
        "Steps to a target are known to the next evaluation only. Targets "
        f"({listing(goal(target) for target in settings.targets)}) were set beforehand and are not equally "
        "hard for all data.",
        "Intervals are over seeds, with one fixed split of the data; each stands by itself, and among many "
        "comparisons some differences look real by chance.",
    )


def _base(material: Material) -> list[str]:
    base = material.settings.base
    return [
        f"data set `{base.dataset.label}`",
        f"preprocessing `{base.preprocessing.label}`",
        f"activation `{base.activation.label}`",
        f"initialisation `{base.init.label}`",
        f"normalization `{base.normalization.label}`",
        f"dropout {base.dropout:g}" + (f" and {base.input_dropout:g} of the inputs" if base.input_dropout else ""),
    ]


def _value(value: Any) -> str:
    return "yes" if value is True else "no" if value is False else f"{value:g}"


def _code(labels: list[str]) -> list[str]:
    return [f"`{label}`" for label in labels]
