"""What is measured inside the hidden layers of a stack: its signals, its gradients, and which units are dead.

Two passes, with the batch statistics that training sees and without dropout. One forward and backward pass over a
fixed mini-batch shows signals and gradients as training has them; one forward pass over the probe set, layer by
layer, shows what each unit does on many examples. Every figure is [runs] per layer; the columns below are those
of a cell's `layers.parquet`.

A unit is *dead* when its activation's derivative stays below a thousandth of the largest possible one on every
probe example, so that no example can move its incoming weights; of a unit with several pieces (maxout, glu) each
piece is judged by itself. The magnitude counts, so that the rule also holds for units that are not monotone.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from trainability import seeding
from trainability.network import Hidden, Mode, Network, loss_gradient

DEAD = 1e-3  # of the steepest derivative: at or below it on all examples a unit is dead
DEAD_LOOSE = 1e-2  # the same count under a tenfold threshold shows how much the choice matters; the strict one is 0
SATURATED = 5e-3  # of the steepest derivative: below it a (unit, example) pair counts as flat
DISTINCT = 1e-5  # relative tolerance within which two units have the same incoming weights

INTEGERS = {torch.float32: torch.int32, torch.float64: torch.int64}  # of the same sizes
LONG = 2**15  # integers that torch sorts by their digits, in a quarter of numpy's time; fewer take numpy less
CACHED = 2**13  # pre-activations of a run that are judged at a time, so that what is made of them stays in the cache

UNITS = (
    "dead_fraction",
    "dead_fraction_strict",
    "dead_fraction_loose",
    "revived_fraction",
    "saturated_fraction",
)
SIGNALS = (
    "preactivation_mean",
    "preactivation_std",
    "activation_mean",
    "activation_std",
    "gradient_mean",
    "gradient_std",
    "gradient_norm",
    "weight_gradient_norm",
    "sign_agreement",
    "sign_agreement_batch",
)
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)  # of the quantiles that stand for the distribution of a layer's activations
QUANTILES = tuple(f"activation_q{100 * level:02.0f}" for level in LEVELS)
WEIGHTS = ("weight_norm", "update_ratio", "update_cosine", "distinct_units")
COLUMNS = UNITS + SIGNALS + QUANTILES + WEIGHTS


class Monitor:
    """Measures a stack of R runs again and again, and remembers which units were ever dead."""

    def __init__(self, network: Network, probe: Tensor, batch: Tensor, batch_targets: Tensor) -> None:
        """`probe` [N, features] and `batch` [B, features] are shared by all runs, as is `batch_targets` [B, K]."""
        runs = len(network.of_seed)
        self.network = network
        self.probe, self.batch, self.batch_targets = (
            probe.expand(runs, -1, -1),
            batch.expand(runs, -1, -1),
            batch_targets,
        )
        self.buffers = [torch.zeros_like(parameter) for parameter in network.parameters]
        weights = [layer.linear.weight for layer in network.hidden]
        self.ever_dead = [torch.zeros_like(weight[:, 0], dtype=torch.bool) for weight in weights]  # all its state

    def measure(self) -> tuple[dict[str, Tensor], Tensor]:
        """The columns of UNITS, SIGNALS and QUANTILES as [layers, R], and the probe's logits [R, N, classes]."""
        rows = self._measure_batch()
        x = self.network.enter(self.probe, Mode.PROBE)
        for index, (layer, row) in enumerate(zip(self.network.hidden, rows, strict=True)):
            x = layer.forward(x, Mode.PROBE)
            row |= self._units(index, layer)  # at once, while the layer's activations are in the cache
            layer.forget()
        return _stacked(rows), self.network.answer(x)

    def _measure_batch(self) -> list[dict[str, Tensor]]:
        logits = self.network.forward(self.batch, Mode.PROBE)
        self.network.backward(loss_gradient(logits, self.batch_targets), self.buffers, carry=0.0)
        rows, index = [], 0
        for layer in self.network.hidden:
            rows.append(_signals(layer) | _quantiles(layer.a) | _gradients(layer, self.buffers[index]))
            index += len(layer.parameters)
        return rows

    def _units(self, index: int, layer: Hidden) -> dict[str, Tensor]:
        highest, flat = _slopes(layer)
        steepest = layer.activation.steepest
        dead = highest <= DEAD * steepest
        ever = self.ever_dead[index].logical_or_(dead)
        known = flat * 0.0  # NaN for a run that was lost, of which nothing is known
        return {
            "dead_fraction": _share(dead) + known,
            "dead_fraction_strict": _share(highest == 0) + known,
            "dead_fraction_loose": _share(highest <= DEAD_LOOSE * steepest) + known,
            "revived_fraction": _share(ever & ~dead) + known,
            "saturated_fraction": flat,
        }


def _slopes(layer: Hidden) -> tuple[Tensor, Tensor]:
    """Each unit's steepest derivative over the examples [R, m], and each run's share of flat (unit, example) pairs.

    The share is NaN where a pre-activation is not finite.
    """
    flat = SATURATED * layer.activation.steepest
    rows = max(1, CACHED // layer.z.shape[-1])
    # Of all parts row by row, and of the rows at the end: the largest down a column of few units is slow to find.
    highest = torch.zeros_like(layer.z[:, :rows])
    balance, total = torch.zeros_like(layer.z[:, 0, 0]), torch.zeros_like(layer.z[:, 0, 0])
    for z, a in zip(layer.z.split(rows, 1), layer.a.split(rows, 1), strict=True):
        slopes = layer.activation.backward(torch.ones_like(a), z, a, *layer.arguments).abs_()
        so_far = highest[:, : slopes.shape[1]]
        torch.maximum(so_far, slopes, out=so_far)
        balance += slopes.sub_(flat).sign_().sum((1, 2))  # pairs above less pairs below
        total += z.sum((1, 2))
    lost = torch.where(total.isfinite(), 0.0, torch.nan)
    return highest.amax(1), (1.0 - balance / layer.z[0].numel()) / 2.0 + lost


def weights(network: Network, trail: Sequence[list[Tensor]]) -> dict[str, Tensor]:
    """The columns of WEIGHTS as [layers, R].

    `trail` holds the hidden layers' weights as they were two steps ago and one step ago, as far as there were such
    steps. The cosine is that of a layer's last update with the one before: towards -1 where steps undo each other.
    """
    rows = []
    for index, layer in enumerate(network.hidden):
        weight = layer.linear.weight
        passed = [*(weights[index] for weights in trail), weight]
        updates = [new - old for old, new in itertools.pairwise(passed)]
        norms = [_norm(update) for update in updates]
        norm = _norm(weight)
        unknown = torch.full_like(norm, torch.nan)
        rows.append(
            {
                "weight_norm": norm,
                "update_ratio": norms[-1] / norm if norms else unknown,
                "update_cosine": (updates[0] * updates[1]).sum((1, 2)) / norms[0] / norms[1]
                if len(norms) == 2
                else unknown,
                "distinct_units": distinct_units(layer),
            }
        )
    return _stacked(rows)


def distinct_units(layer: Hidden) -> Tensor:
    """Units of a layer that differ in their incoming weights or bias by more than a tolerance, [R].

    Equal units have equal projections on any direction. The incoming weights and biases [R, m, width] (m counts all
    pieces) are projected on two fixed random directions and sorted along the first; a unit is new where either
    projection differs from its neighbour's by more than DISTINCT times the largest norm of a unit's weights.
    """
    linear, pieces = layer.linear, layer.activation.pieces
    incoming = linear.weight if linear.bias is None else torch.cat([linear.weight, linear.bias], 1)
    draws = seeding.generator(0, "distinct units").standard_normal((2, pieces, incoming.shape[1]))
    directions = torch.from_numpy(draws).to(incoming)
    parts = enumerate(incoming.chunk(pieces, -1))
    projected = torch.stack([directions[:, piece] @ part for piece, part in parts]).sum(0)  # [R, 2, width]
    largest = incoming.square().sum(1).unflatten(-1, (pieces, -1)).sum(1).amax(-1)
    order = projected[:, :1].argsort(-1).expand_as(projected)
    gaps = projected.gather(-1, order).diff(dim=-1).abs()
    tolerance = DISTINCT * largest.sqrt()
    distinct = 1 + (gaps > tolerance[:, None, None]).any(1).sum(-1)
    return torch.where(tolerance.isfinite(), distinct.to(largest), torch.nan)


def sign_agreement(values: Tensor, dim: int) -> Tensor:
    """Share of the non-zero entries along `dim` that have the majority's sign; NaN where all are zero.

    With p positive and n negative entries: max(p, n) / (p + n) = (1 + |p - n| / (p + n)) / 2.
    """
    signs = values.sign()
    return majority(signs.sum(dim), signs.abs_().sum(dim))


def majority(balance: Tensor, total: Tensor) -> Tensor:
    """(1 + |p - n| / (p + n)) / 2 of p - n and p + n; it overwrites the first."""
    return balance.abs_().div_(total).add_(1.0).mul_(0.5)


def _signals(layer: Hidden) -> dict[str, Tensor]:
    agreement = majority(*layer.linear.signs())
    before_mean, before_std = _moments(layer.z)
    after_mean, after_std = _moments(layer.a)
    return {
        "preactivation_mean": before_mean,
        "preactivation_std": before_std,
        "activation_mean": after_mean,
        "activation_std": after_std,
        "sign_agreement": agreement.nanmean(-1),
    }


def _quantiles(values: Tensor) -> dict[str, Tensor]:
    """The quantiles of each run's numbers, [R] each: the entries at the ranks nearest to LEVELS, so that they occur."""
    # As integers of the same order: floats take numpy five times as long where many are zero and denormals are flushed.
    ordered = _sorted(_in_order_of_floats(values.flatten(1).view(INTEGERS[values.dtype])))
    ranks = [round(level * (ordered.shape[1] - 1)) for level in LEVELS]
    found = _in_order_of_floats(ordered[:, ranks]).view(values.dtype)
    return dict(zip(QUANTILES, found.unbind(1), strict=True))


def _in_order_of_floats(bits: Tensor) -> Tensor:
    """The bits of floats as integers that are ordered as the floats are, and such integers as the bits again."""
    negative = bits >> (8 * bits.itemsize - 1)  # -1 or 0
    return negative.bitwise_and_(torch.iinfo(bits.dtype).max).bitwise_xor_(bits)


def _sorted(rows: Tensor) -> Tensor:
    """Integers [R, n] in the order of each row; it may overwrite them."""
    if rows.shape[1] < LONG and not rows.is_cuda:
        rows.numpy().sort(-1)
        return rows
    return torch.stack([row.sort().values for row in rows])


def _gradients(layer: Hidden, weight_gradient: Tensor) -> dict[str, Tensor]:
    mean, std = _moments(layer.dz)
    return {
        "gradient_mean": mean,
        "gradient_std": std,
        "gradient_norm": _norm(layer.dz),
        "weight_gradient_norm": _norm(weight_gradient),
        "sign_agreement_batch": sign_agreement(weight_gradient, 1).nanmean(-1),
    }


def _stacked(rows: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {column: torch.stack([row[column] for row in rows]) for column in rows[0]}


def _moments(values: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation over examples and units, [R] each; two passes, since means can dwarf spreads."""
    flat = values.flatten(1)
    mean = flat.mean(1)
    return mean, (flat - mean[:, None]).square_().mean(1).sqrt_()


def _norm(values: Tensor) -> Tensor:
    """Euclidean norm of each run's numbers, [R]; torch's own norm takes several times as long over short rows."""
    return values.flatten(1).square().sum(1).sqrt_()


def _share(units: Tensor) -> Tensor:
    return units.float().mean(-1)
