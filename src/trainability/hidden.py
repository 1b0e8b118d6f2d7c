"""One hidden layer of a stack, with its place in a residual stream.

Shapes as in `network`: R runs, B examples, P positions of an example, F features or units; rows are B P.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn.functional import pad

from trainability.activations import Activation
from trainability.blueprint import LayerPlan
from trainability.linear import Linear
from trainability.normalizers import Normalizer
from trainability.passes import Mode, accumulate
from trainability.pooling import MeanPool, Pool
from trainability.stochastic import Draws, Dropout


class Stream:
    """The residual stream of a stack: the sum of some linear maps' outputs so far, and the gradient by it."""

    def __init__(self) -> None:
        self.value: Tensor | None = None
        self.gradient: Tensor | None = None


class Shortcut:
    """How a layer's stream [R, B P, F] reaches one further up: halved by 2 x 2 means, filled up with zeros, or as is.

    Each of a unit's pieces is filled up by itself.
    """

    def __init__(self, below: LayerPlan, above: LayerPlan, pieces: int) -> None:
        self.pool = MeanPool(below.sees) if below.positions != above.positions else None
        self.units, self.more, self.pieces = below.units, above.units - below.units, pieces

    def forward(self, r: Tensor) -> Tensor:
        if self.pool:
            r = self.pool.forward(r)
        return pad(r.unflatten(-1, (self.pieces, -1)), (0, self.more)).flatten(-2) if self.more else r

    def backward(self, dr: Tensor) -> Tensor:
        if self.more:
            dr = dr.unflatten(-1, (self.pieces, -1))[..., : self.units].flatten(-2)
        return self.pool.backward(dr) if self.pool else dr


class Hidden:
    """One hidden layer: linear map [+ stream], [normalization,] activation, [normalization,] [pooling,] [dropout].

    After a forward pass `linear.x`, `z` and `a` hold the layer's input, the activation's input and its output; after a
    backward pass `dz` holds the gradient by z. A layer with a `shortcut` adds the stream to its linear map's output;
    one that `taps` leaves the sum as the stream.
    """

    def __init__(
        self,
        linear: Linear,
        activation: Activation,
        learned: Sequence[Tensor],
        before: Normalizer | None = None,
        after: Normalizer | None = None,
        pool: Pool | None = None,
        dropout: Dropout | None = None,
        draws: Draws | None = None,
        of_seed: Tensor | None = None,
        stream: Stream | None = None,
        taps: bool = False,
        shortcut: Shortcut | None = None,
    ) -> None:
        self.linear, self.activation, self.learned = linear, activation, list(learned)
        self.before, self.after, self.pool, self.dropout = before, after, pool, dropout
        self.draws, self.of_seed = draws, of_seed
        self.stream, self.taps, self.shortcut = stream, taps, shortcut
        self.arguments = self.learned  # of the activation, beside its input
        self.z = self.a = self.dz = linear.weight.new_empty(0)

    @property
    def parameters(self) -> list[Tensor]:
        norms = [norm for norm in (self.before, self.after) if norm is not None]
        return [*self.linear.parameters, *self.learned, *(p for norm in norms for p in norm.parameters)]

    def forward(self, x: Tensor, mode: Mode) -> Tensor:
        z = self.linear.forward(x)
        if self.stream:
            z = self._join(z, self.stream)
        self.z = self.before.forward(z, mode) if self.before else z
        if self.activation.random:
            self.arguments = [*self.learned, self._random(mode)]
        self.a = self.activation.value(self.z, *self.arguments)
        y = self.after.forward(self.a, mode) if self.after else self.a
        if self.pool:
            y = self.pool.forward(y)
        return self.dropout.forward(y, mode) if self.dropout else y

    def _join(self, z: Tensor, stream: Stream) -> Tensor:
        if self.shortcut:
            assert stream.value is not None
            z = z + self.shortcut.forward(stream.value)
        if self.taps:
            stream.value = z
        return z

    def _random(self, mode: Mode) -> Tensor:
        """The activation's random argument: of this step in training, the mean one elsewhere."""
        assert self.draws is not None
        assert self.of_seed is not None
        if mode is Mode.TRAIN:
            return self.activation.randomize(self.draws.values)[self.of_seed]
        return self.activation.randomize(self.draws.values.new_full((1, 1, 1), 0.5))

    def forget(self) -> None:
        """Let go of what the last forward pass left for a backward pass."""
        self.linear.forget()
        for pool in (self.pool, self.shortcut and self.shortcut.pool):
            if pool:
                pool.forget()
        self.z = self.a = self.linear.weight.new_empty(0)

    def backward(self, dy: Tensor, buffers: Sequence[Tensor], carry: float) -> Tensor:
        """Accumulate all parameters' gradients into `buffers`; return the gradient by the linear map's output."""
        own = len(self.linear.parameters)
        learned_end = own + len(self.learned)
        if self.dropout:
            dy = self.dropout.backward(dy)
        if self.pool:
            dy = self.pool.backward(dy)
        if self.after:
            dy = self.after.backward(dy, buffers[learned_end:], carry)
        slopes = self.activation.learned_gradients(dy, self.z)
        for buffer, gradient in zip(buffers[own:learned_end], slopes, strict=True):
            accumulate(buffer, gradient, carry)
        dz = self.dz = self.activation.backward(dy, self.z, self.a, *self.arguments)
        if self.before:
            dz = self.before.backward(dz, buffers[learned_end:], carry)
        if self.stream:
            dz = self._part(dz, self.stream)
        self.linear.backward(dz, buffers[:own], carry)
        return dz

    def _part(self, dz: Tensor, stream: Stream) -> Tensor:
        """The gradient by the sum that this layer left, passed on to the stream below."""
        if self.taps and stream.gradient is not None:
            dz = dz + stream.gradient
            stream.gradient = None
        if self.shortcut:
            stream.gradient = self.shortcut.backward(dz)
        return dz
