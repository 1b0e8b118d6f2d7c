"""What can be seen of a cell: columns of the tables with their titles and how their numbers are written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from trainability.report.wording import goal


@dataclass(frozen=True)
class Metric:
    """A column's title, and how its values are written: `share`, `steps`, `ratio`, `number`, `count` or `seconds`.

    Colours stand for the logarithm of steps and ratios.
    """

    title: str
    style: str = "number"


# Of the table of cells, with intervals.
OF_CELLS: dict[str, Metric] = {
    "test_accuracy": Metric("test accuracy", "share"),
    "validation_accuracy": Metric("validation accuracy", "share"),
    "train_accuracy": Metric("training accuracy", "share"),
    "train_loss": Metric("training loss", "ratio"),
    "dead_fraction": Metric("dead units", "share"),
    "dead_fraction_strict": Metric("dead units, derivative exactly 0", "share"),
    "dead_fraction_loose": Metric("dead units, tenfold threshold", "share"),
    "born_dead_fraction": Metric("units born dead", "share"),
    "revived_fraction": Metric("revived units", "share"),
    "saturated_fraction": Metric("saturated pairs after training", "share"),
    "initial_saturated_fraction": Metric("saturated pairs before training", "share"),
    "gradient_ratio": Metric("gradient ratio before training, first layer over last", "ratio"),
    "final_gradient_ratio": Metric("gradient ratio after training, first layer over last", "ratio"),
    "activation_mean": Metric("mean activation after training"),
    "activation_std": Metric("standard deviation of activations after training"),
    "sign_agreement": Metric("sign agreement of gradients, by example", "share"),
    "sign_agreement_batch": Metric("sign agreement of gradients, by batch", "share"),
    "update_ratio": Metric("update over weights", "ratio"),
    "update_cosine": Metric("cosine of successive updates"),
    "distinct_units": Metric("distinct units a layer"),
}
# Of the table of cells, without intervals.
PLAIN: dict[str, Metric] = {
    "learning_rate": Metric("chosen learning rate", "ratio"),
    "all_diverged": Metric("diverged runs at all rates", "count"),
    "parameters": Metric("parameters", "count"),
    "train_seconds": Metric("training time, s", "seconds"),
}
# Of the table of layers.
OF_LAYERS: dict[str, Metric] = {
    "dead_fraction": Metric("dead units", "share"),
    "dead_fraction_strict": Metric("dead units, derivative exactly 0", "share"),
    "dead_fraction_loose": Metric("dead units, tenfold threshold", "share"),
    "revived_fraction": Metric("revived units", "share"),
    "saturated_fraction": Metric("saturated pairs", "share"),
    "preactivation_mean": Metric("mean pre-activation"),
    "preactivation_std": Metric("standard deviation of pre-activations", "ratio"),
    "activation_mean": Metric("mean activation"),
    "activation_std": Metric("standard deviation of activations", "ratio"),
    "activation_q05": Metric("activations, 5 % quantile"),
    "activation_q25": Metric("activations, 25 % quantile"),
    "activation_q50": Metric("activations, median"),
    "activation_q75": Metric("activations, 75 % quantile"),
    "activation_q95": Metric("activations, 95 % quantile"),
    "gradient_mean": Metric("mean gradient"),
    "gradient_std": Metric("standard deviation of gradients", "ratio"),
    "gradient_norm": Metric("norm of gradients", "ratio"),
    "weight_gradient_norm": Metric("norm of the weights' gradient", "ratio"),
    "sign_agreement": Metric("sign agreement of gradients, by example", "share"),
    "sign_agreement_batch": Metric("sign agreement of gradients, by batch", "share"),
    "weight_norm": Metric("norm of the weights", "ratio"),
    "update_ratio": Metric("update over weights", "ratio"),
    "update_cosine": Metric("cosine of successive updates"),
    "distinct_units": Metric("distinct units"),
}


def of_targets(targets: Iterable[float]) -> dict[str, Metric]:
    """Columns of the table of cells that depend on the targets, which have intervals."""
    found = {}
    for target in sorted(targets):
        found[f"median_steps_to_{target:g}"] = Metric(f"median steps to {goal(target)}", "steps")
        found[f"success_{target:g}"] = Metric(f"seeds that reach {goal(target)}", "share")
    return found


def with_intervals(targets: Iterable[float]) -> dict[str, Metric]:
    """Columns of the table of cells that have intervals, the test accuracy and the steps to the targets first."""
    return {"test_accuracy": OF_CELLS["test_accuracy"]} | of_targets(targets) | OF_CELLS


def expected(targets: Iterable[float]) -> dict[str, Metric]:
    """Columns of the table of cells that depend on the targets, without intervals."""
    return {
        f"expected_steps_to_{target:g}": Metric(f"expected steps to {goal(target)}", "steps")
        for target in sorted(targets)
    }


def of_seeds(targets: Iterable[float]) -> dict[str, Metric]:
    """Columns of the table of runs that a cell's page shows seed by seed."""
    steps = {f"steps_to_{target:g}": Metric(f"steps to {goal(target)}", "steps") for target in sorted(targets)}
    shown = ("test_accuracy", "validation_accuracy", "train_accuracy", "train_loss")
    inside = ("dead_fraction", "gradient_ratio", "final_gradient_ratio")
    return {name: OF_CELLS[name] for name in shown} | steps | {name: OF_CELLS[name] for name in inside}
