"""The arithmetic of the normalizations, for stacks: forward and backward, each run by itself.

A normalizer sees what its layer's units put out, x [R, N, F]: R runs, N = examples x positions rows (one position an
example, or the pixels of an image), F units (of units with several pieces, all pieces). It needs nothing of torch but
the methods of tensors, since the Snakefile reads the normalizations.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from trainability.passes import Mode, accumulate, joined

if TYPE_CHECKING:
    from torch import Tensor


class Normalizer:
    """One layer's normalization: y = gamma x_hat + beta with learned gamma and beta [R, 1, F], or x_hat alone.

    A subclass says in `standardize` what x_hat is and in `backward_standardize` how a gradient passes through it. With
    `affine` false nothing is learned; `shift` false leaves out beta.
    """

    def __init__(self, runs: int, units: int, like: Tensor, affine: bool = True, shift: bool = True) -> None:
        self.gamma, self.beta = like.new_ones(runs, 1, units), like.new_zeros(runs, 1, units)
        self.affine, self.shift = affine, shift
        self.normal = like.new_empty(0)  # x_hat of the last forward pass

    @property
    def parameters(self) -> list[Tensor]:
        """The learned tensors, each [R, 1, F]."""
        return [self.gamma, self.beta][: 1 + self.shift] if self.affine else []

    def forward(self, x: Tensor, mode: Mode) -> Tensor:
        """y [R, N, F] of x; x stays as it is."""
        self.normal = self.standardize(x, mode)
        if not self.affine:
            return self.normal
        return self.beta.addcmul(self.normal, self.gamma) if self.shift else self.normal * self.gamma

    def backward(self, dy: Tensor, buffers: Sequence[Tensor], carry: float) -> Tensor:
        """Accumulate the gradients by `parameters` into `buffers`, return the one by x."""
        if not self.affine:
            return self.backward_standardize(dy)
        accumulate(buffers[0], (dy * self.normal).sum(1, keepdim=True), carry)
        if self.shift:
            accumulate(buffers[1], dy.sum(1, keepdim=True), carry)
        return self.backward_standardize(dy * self.gamma)

    def standardize(self, x: Tensor, mode: Mode) -> Tensor:
        """x_hat of x, as a new tensor."""
        raise NotImplementedError

    def backward_standardize(self, d_normal: Tensor) -> Tensor:
        """The gradient by x from the one by x_hat."""
        raise NotImplementedError


class BatchNormalizer(Normalizer):
    """Batch normalization (Ioffe & Szegedy 2015, algorithm 1): x_hat = (x - mean) / sqrt(var + eps) over the rows.

    var is the biased batch variance; running estimates take the unbiased one, as torch.nn.BatchNorm1d and 2d do.
    """

    def __init__(self, runs: int, units: int, like: Tensor, affine: bool, eps: float, momentum: float) -> None:
        super().__init__(runs, units, like, affine)
        self.eps, self.momentum = eps, momentum
        self.mean, self.variance = like.new_zeros(runs, 1, units), like.new_ones(runs, 1, units)
        # Of the last forward pass: x - mean, 1 / sqrt(var + eps), and gamma times that.
        self.centred = self.inverse = self.scale = like.new_empty(0)

    def forward(self, x: Tensor, mode: Mode) -> Tensor:
        import torch

        if mode is Mode.EVALUATE:
            scale = self.gamma * (self.variance + self.eps).rsqrt()
            return (self.beta - self.mean * scale).addcmul(x, scale)
        rows = x.shape[1]
        mean = x.sum(1, keepdim=True).mul_(1.0 / rows)
        self.centred = x - mean
        work = self.centred * self.centred
        squares = work.sum(1, keepdim=True)
        if mode is Mode.TRAIN:
            self.mean.lerp_(mean, self.momentum)
            self.variance.lerp_(squares * (1.0 / (rows - 1)), self.momentum)
        self.inverse = squares.mul_(1.0 / rows).add_(self.eps).rsqrt_()
        self.scale = self.inverse * self.gamma
        # x_hat itself is never made, and what is large goes where something large was: that is a third of the time.
        return torch.addcmul(self.beta, self.centred, self.scale, out=work)

    def backward(self, dy: Tensor, buffers: Sequence[Tensor], carry: float) -> Tensor:
        import torch

        # The sums that gamma and beta need are those that x needs: one pass over dy fewer than in the general case.
        work = dy * self.centred
        by_gamma = work.sum(1, keepdim=True).mul_(self.inverse)
        by_beta = dy.sum(1, keepdim=True)
        if self.affine:
            accumulate(buffers[0], by_gamma, carry)
            accumulate(buffers[1], by_beta, carry)
        share = 1.0 / dy.shape[1]
        torch.addcmul(dy, self.centred, by_gamma.mul_(self.inverse), value=-share, out=work)
        return work.sub_(by_beta, alpha=share).mul_(self.scale)


class ImageBatchNormalizer(BatchNormalizer):
    """Batch normalization of many rows: torch's own, run by run, which takes a third of the passes over memory.

    With the few rows of a fully connected layer its calls would cost more than they save.
    """

    def forward(self, x: Tensor, mode: Mode) -> Tensor:
        import torch

        if mode is Mode.EVALUATE:
            return super().forward(x, mode)
        self.x = x
        self.kept: list[tuple[Tensor, Tensor]] = []  # mean and 1 / deviation of each run
        results = []
        training = mode is Mode.TRAIN
        for run, rows in enumerate(x):
            gamma, beta = self._affine(run)
            mean, variance = (self.mean[run, 0], self.variance[run, 0]) if training else (None, None)
            y, *kept = torch.native_batch_norm(rows, gamma, beta, mean, variance, True, self.momentum, self.eps)
            results.append(y)
            self.kept.append((kept[0], kept[1]))
        return joined(results)

    def backward(self, dy: Tensor, buffers: Sequence[Tensor], carry: float) -> Tensor:
        import torch

        results = []
        mask = [True, self.affine, self.affine]
        for run, kept in enumerate(self.kept):
            gamma, _ = self._affine(run)
            results.append(
                torch.ops.aten.native_batch_norm_backward(
                    dy[run], self.x[run], gamma, None, None, *kept, True, self.eps, mask
                )
            )
        if self.affine:
            for buffer, gradients in zip(buffers, list(zip(*results, strict=True))[1:], strict=False):
                accumulate(buffer, joined(gradients).unsqueeze(1), carry)
        return joined([dx for dx, _, _ in results])

    def _affine(self, run: int) -> tuple[Tensor | None, Tensor | None]:
        return (self.gamma[run, 0], self.beta[run, 0]) if self.affine else (None, None)


class GroupNormalizer(Normalizer):
    """Each example by itself: x_hat = (x - mean) / sqrt(var + eps) over a group of units and all positions.

    One group is layer normalization (Ba et al. 2016), more are group normalization (Wu & He 2018); with `centre` false
    the mean counts as zero, which is RMS normalization (Zhang & Sennrich 2019).
    """

    def __init__(
        self,
        runs: int,
        units: int,
        positions: int,
        like: Tensor,
        groups: int = 1,
        eps: float = 1e-5,
        affine: bool = True,
        centre: bool = True,
    ) -> None:
        super().__init__(runs, units, like, affine, shift=centre)
        self.positions, self.groups, self.eps, self.centre = positions, groups, eps, centre
        self.inverse = like.new_empty(0)

    def standardize(self, x: Tensor, mode: Mode) -> Tensor:
        grouped = self._grouped(x)
        centred = grouped - self._mean(grouped) if self.centre else grouped.clone()
        self.inverse = self._mean(centred * centred).add_(self.eps).rsqrt_()
        return centred.mul_(self.inverse).view(x.shape)

    def backward_standardize(self, d_normal: Tensor) -> Tensor:
        d, normal = self._grouped(d_normal), self._grouped(self.normal)
        dx = d - normal * self._mean(d * normal)
        if self.centre:
            dx.sub_(self._mean(d))
        return dx.mul_(self.inverse).view(d_normal.shape)

    def _grouped(self, x: Tensor) -> Tensor:
        """[R, examples, positions, groups, units of a group]."""
        runs, rows, units = x.shape
        return x.reshape(runs, rows // self.positions, self.positions, self.groups, units // self.groups)

    def _mean(self, grouped: Tensor) -> Tensor:
        # Two sums instead of one over two axes: torch's kernel for that is several times slower.
        return grouped.mean(4, keepdim=True).mean(2, keepdim=True)


class ImageGroupNormalizer(GroupNormalizer):
    """The same for several positions an example, through torch's own: a third of the time and less."""

    def standardize(self, x: Tensor, mode: Mode) -> Tensor:
        import torch

        self.images = self._images(x)
        y, *self.kept = torch.native_group_norm(self.images, None, None, *self._sizes, self.eps)
        return y.permute(0, 2, 3, 1).reshape(x.shape)

    def backward_standardize(self, d_normal: Tensor) -> Tensor:
        import torch

        dx, _, _ = torch.ops.aten.native_group_norm_backward(
            self._images(d_normal), self.images, *self.kept, None, *self._sizes, [True, False, False]
        )
        return dx.permute(0, 2, 3, 1).reshape(d_normal.shape)

    @property
    def _sizes(self) -> tuple[int, int, int, int]:
        examples, units, positions, _ = self.images.shape
        return examples, units, positions, self.groups

    def _images(self, x: Tensor) -> Tensor:
        """All examples of all runs [R B, F, positions, 1], as they lie in memory."""
        return x.reshape(-1, self.positions, 1, x.shape[-1]).permute(0, 3, 1, 2)


class WeightStandardizer:
    """Weights instead of activations: W_hat = (W - mean) / sqrt(var + eps) over each unit's incoming weights.

    W [R, fan_in, F]; var is the biased variance (Qiao et al. 2019, equation 5). W_hat is multiplied by
    gain / sqrt(fan_in): with gain 1 outputs keep the scale of the inputs, as under `lecun_normal`.
    """

    def __init__(self, eps: float, gain: float) -> None:
        self.eps, self.gain = eps, gain
        self.normal: Tensor | None = None
        self.inverse: Tensor | None = None

    def forward(self, weight: Tensor) -> Tensor:
        """gain W_hat / sqrt(fan_in), shaped as the weights."""
        centred = weight - weight.mean(1, keepdim=True)
        self.inverse = (centred * centred).mean(1, keepdim=True).add_(self.eps).rsqrt_()
        self.normal = centred.mul_(self.inverse)
        return self.normal * (self.gain * weight.shape[1] ** -0.5)

    def backward(self, gradient: Tensor) -> Tensor:
        """The gradient by W from the one by `forward`'s result."""
        assert self.normal is not None
        assert self.inverse is not None
        d = gradient * (self.gain * gradient.shape[1] ** -0.5)
        dx = d - self.normal * (d * self.normal).mean(1, keepdim=True)
        return dx.sub_(d.mean(1, keepdim=True)).mul_(self.inverse)
