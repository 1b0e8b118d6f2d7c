"""The stacked network: R runs of one architecture as one batched tensor program.

Shapes: R runs, B examples, P positions of an example (1 but for convolutions), F features or units. Weights are
[R, fan_in, fan_out], activations [R, B P, F], and everything that belongs to a unit [R, 1, F]. Each layer is one
batched product; no operation mixes runs, so a run does not depend on what shares its stack. The backward pass is
written out: it costs less than autograd, can accumulate straight into the optimiser's buffers, and leaves the
gradients that `health` measures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from trainability import blueprint, seeding
from trainability.blueprint import LayerPlan
from trainability.cell import Cell
from trainability.checkpoints import State
from trainability.hidden import Hidden, Shortcut, Stream
from trainability.linear import Convolution, Linear, Output, columns
from trainability.normalizers import Normalizer
from trainability.passes import Mode
from trainability.pooling import POOLS, FlatHead, MeanHead
from trainability.stochastic import Draws, Dropout

__all__ = ["Hidden", "Mode", "Network", "loss_gradient", "targets"]


class Network:
    """A stack of classifiers of one blueprint, one per (seed, learning rate) of `runs`."""

    def __init__(
        self,
        cell: Cell,
        features: int,
        classes: int,
        runs: Sequence[tuple[int, float]] | None = None,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        runs = cell.runs if runs is None else list(runs)
        self.seeds = list(dict.fromkeys(seed for seed, _ in runs))
        self.of_seed = torch.tensor([self.seeds.index(seed) for seed, _ in runs], device=device)
        self.plan = blueprint.draw(cell, features, classes)
        self.draws: list[Draws] = []
        self._like = torch.empty(0, dtype=dtype, device=device)
        self.input_dropout = self._dropout(cell, cell.input_dropout, "input dropout", 0, 1, features)
        self.hidden: list[Hidden] = []
        stream, tapped = Stream(), None
        for number, layer in enumerate(self.plan.layers, start=1):
            shortcut = Shortcut(tapped, layer, self.plan.pieces) if tapped and layer.adds else None
            self.hidden.append(self._hidden(cell, number, layer, stream, shortcut))
            tapped = layer if layer.taps else tapped
        self.head = (MeanHead if self.plan.mean_head else FlatHead)(self.plan.head)
        output = LayerPlan(blueprint.Grid(1, 1, self.plan.head_features), classes)
        self.output = Output(*self._weights(cell, len(self.hidden) + 1, output, 1, 0.0))
        self.state = self._state()

    @property
    def width(self) -> int:
        """Units of the first hidden layer."""
        return self.plan.width

    @property
    def parameters(self) -> list[Tensor]:
        """All parameter tensors [R, ., .], layer by layer from the input; of each layer the weights first."""
        return [*(p for layer in self.hidden for p in layer.parameters), *self.output.parameters]

    @property
    def decayed(self) -> list[bool]:
        """Which of `parameters` receive weight decay: the weights of the linear maps."""
        flags = [index == 0 for layer in self.hidden for index in range(len(layer.parameters))]
        return [*flags, True, False]

    def _state(self) -> State:
        """What training changes here: parameters, what normalizers remember of earlier steps, generators."""
        parts = [
            part for layer in self.hidden for part in (layer.before, layer.after, layer.linear.standardizer) if part
        ]
        kept = [*self.parameters, *(tensor for part in parts for tensor in remembered(part))]
        distinct = {id(tensor): tensor for tensor in kept}
        return [*distinct.values(), *(generator for draws in self.draws for generator in draws.generators)]

    def renew(self) -> None:
        """Draw what is random in the next training step."""
        for draws in self.draws:
            draws.renew()

    def enter(self, x: Tensor, mode: Mode) -> Tensor:
        """What the first hidden layer sees, [R, B P, C], of inputs [R, B, features]."""
        if self.input_dropout:
            x = self.input_dropout.forward(x, mode)
        return x.reshape(len(x), -1, self.plan.layers[0].sees.channels)

    def answer(self, y: Tensor) -> Tensor:
        """Logits [R, B, K] from what the last hidden layer puts out."""
        return self.output.forward(self.head.forward(y))

    def forward(self, x: Tensor, mode: Mode) -> Tensor:
        """Logits [R, B, K] of inputs [R, B, features].

        K is the number of classes and of the output layer's spare columns, whose logits are -inf.
        """
        x = self.enter(x, mode)
        for layer in self.hidden:
            x = layer.forward(x, mode)
        return self.answer(x)

    def backward(self, dlogits: Tensor, buffers: Sequence[Tensor], carry: float) -> None:
        """Accumulate the gradients of all parameters into `buffers`, shaped and ordered as `parameters`."""
        end = len(buffers) - 2
        self.output.backward(dlogits, buffers[end:], carry)
        dy = self.head.backward(self.output.backward_input(dlogits))
        for layer in reversed(self.hidden):
            start = end - len(layer.parameters)
            dz = layer.backward(dy, buffers[start:end], carry)
            if layer is not self.hidden[0]:
                dy = layer.linear.backward_input(dz)
            end = start

    def calibrate(self, x: Tensor, rescale: Callable[[Tensor, Callable[[], Tensor]], None]) -> None:
        """Let `rescale` change the weights of one hidden layer after the other, on examples x [R, B, features].

        It receives a layer's weights and a function that gives the layer's linear outputs under them.
        """
        x = self.enter(x, Mode.PROBE)
        for layer in self.hidden:
            rescale(layer.linear.weight, lambda linear=layer.linear, seen=x: linear.forward(seen))  # type: ignore[misc]
            x = layer.forward(x, Mode.PROBE)
            layer.forget()

    def _hidden(self, cell: Cell, number: int, layer: LayerPlan, stream: Stream, shortcut: Shortcut | None) -> Hidden:
        normalization, runs, pieces = cell.normalization, len(self.of_seed), self.plan.pieces
        weight, bias = self._weights(cell, number, layer, pieces, cell.bias)
        drawn = bias if self.plan.biased else None
        standardizer = normalization.start_weights() if normalization.position == "weights" else None
        linear = (
            Linear(weight, drawn, standardizer)
            if layer.kernel == 1
            else Convolution(weight, drawn, layer, standardizer)
        )
        norms: dict[str, Normalizer] = {}
        if normalization.position in ("before", "after"):
            columns = layer.units * (pieces if normalization.position == "before" else self.plan.outputs)
            norms[normalization.position] = normalization.start(runs, columns, layer.positions, weight)
        draws = None
        if cell.activation.random:
            draws = self._draws(("activation", number), (cell.batch_size * layer.positions, pieces * layer.units))
        out = layer.puts_out(self.plan.outputs)
        return Hidden(
            linear,
            cell.activation,
            [weight.new_full((runs, 1, 1), start) for start in cell.activation.learned.values()],
            **norms,
            pool=None if layer.pooling == "none" else POOLS[layer.pooling](layer.sees),
            dropout=self._dropout(cell, cell.dropout, "dropout", number, out.positions, out.channels),
            draws=draws,
            of_seed=self.of_seed,
            stream=stream if any(plan.taps for plan in self.plan.layers) else None,
            taps=layer.taps,
            shortcut=shortcut,
        )

    def _dropout(
        self, cell: Cell, rate: float, purpose: str, number: int, positions: int, channels: int
    ) -> Dropout | None:
        if not rate:
            return None
        return Dropout(rate, self._draws((purpose, number), (cell.batch_size * positions, channels)), self.of_seed)

    def _draws(self, purpose: tuple[str | int, ...], shape: tuple[int, ...]) -> Draws:
        self.draws.append(Draws(self.seeds, purpose, shape, self._like))
        return self.draws[-1]

    def _weights(self, cell: Cell, number: int, layer: LayerPlan, pieces: int, start: float) -> tuple[Tensor, Tensor]:
        """Initial weights and biases of one layer: each seed's draws, repeated for its learning rates."""
        weights, biases = [], []
        # A unit feeds `units` outputs at each position of a window: fan_out of a convolution as torch.nn.init has it.
        fan_out = layer.kernel**2 * layer.units
        for seed in self.seeds:
            noise = seeding.generator(seed, "weights", number).standard_normal((layer.fan_in, pieces * layer.units))
            maps = np.split(noise, pieces, axis=1)
            weights.append(np.hstack([cell.init.draw(one, fan_out, cell.activation.negative_slope) for one in maps]))
            biases.append(np.hstack([cell.init.bias(one, start) for one in maps]))
        weight, bias = (torch.from_numpy(np.stack(parts)).to(self._like)[self.of_seed] for parts in (weights, biases))
        return weight, bias.unsqueeze(1)


def targets(labels: Tensor, classes: int, dtype: torch.dtype, smoothing: float = 0.0) -> Tensor:
    """What the softmax of logits [., K] should be: one-hot labels, smoothed (Szegedy et al. 2016, section 7), [N, K].

    The spare columns of the output layer stay 0.
    """
    one_hot = torch.nn.functional.one_hot(labels, classes).to(dtype)
    return pad(one_hot * (1.0 - smoothing) + smoothing / classes, (0, columns(classes) - classes))


def remembered(normalizer: object) -> list[Tensor]:
    """The tensors that a normalizer starts with, in attributes, lists, normalizers of its own.

    What it remembers it changes in place there (docs/components.md).
    """
    if isinstance(normalizer, Tensor):
        return [normalizer] if normalizer.numel() else []
    inside = normalizer if isinstance(normalizer, list | tuple) else vars(normalizer).values()
    return [t for value in inside if isinstance(value, Tensor | list | tuple | Normalizer) for t in remembered(value)]


def loss_gradient(logits: Tensor, targets: Tensor) -> Tensor:
    """Gradient by the logits [R, B, K] of each run's mean cross-entropy: (softmax - targets) / B."""
    return logits.softmax(-1).sub_(targets).div_(logits.shape[1])
