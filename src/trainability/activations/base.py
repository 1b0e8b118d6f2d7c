"""What an activation is, and the registry of all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainability.registry import Component, Registry

if TYPE_CHECKING:
    from torch import Tensor


class Activation(Component):
    """An elementwise non-linearity (or, for maxout and glu, one over the pieces of a unit).

    `value`, `derivative` and `backward` take the learned parameters after their own arguments and, of an activation
    that is `random`, one tensor more, shaped as z or [1, 1, 1].
    """

    @property
    def pieces(self) -> int:
        """Linear maps that a unit combines: the layer's linear map has pieces * width outputs."""
        return 1

    @property
    def outputs(self) -> int:
        """Numbers that a unit passes on: the next layer has outputs * width inputs."""
        return 1

    @property
    def plain(self) -> bool:
        """Whether a unit is one linear map and one number, so that equal width and equal cost are the same."""
        return self.pieces == self.outputs == 1

    @property
    def random(self) -> bool:
        """Whether training draws a random argument for every pre-activation; see `randomize`."""
        return False

    def randomize(self, draws: Tensor) -> Tensor:
        """The random argument that `value` and the others take after the learned ones.

        Training gives draws from U(0, 1), shaped as z; everywhere else they are 1/2 [1, 1, 1].
        """
        raise NotImplementedError

    @property
    def steepest(self) -> float:
        """Largest magnitude of the derivative; dead and saturated are judged relative to it."""
        return 1.0

    @property
    def negative_slope(self) -> float:
        """Slope below zero, for Kaiming's gain^2 = 2 / (1 + slope^2); 0 for everything but leaky units."""
        return 0.0

    @property
    def gain(self) -> float:
        """Weights N(0, gain^2 / fan_in) keep the size of a signal: gain = 1 / sqrt(E[f(z)^2]), z ~ N(0, 1).

        So He et al. 2015 (equation 9) get sqrt 2 for ReLU. Information only: no initialiser reads it. For tanh it is
        1.593 and for SELU 1; the table of torch.nn.init.calculate_gain has 5/3 and 3/4 instead. The next layer's
        fan_in counts every output of a unit, so that of several the mean square counts; a random argument is that of
        an evaluation.
        """
        import torch

        z = torch.linspace(-12, 12, 48001, dtype=torch.float64)  # a kink costs less than 1e-7 at this step
        density = z.square().mul_(-0.5).exp_()
        return self._power(z, density.div_(density.sum())) ** -0.5

    @property
    def learned(self) -> dict[str, float]:
        """Learned parameters and their initial values; they receive no weight decay."""
        return {}

    def value(self, z: Tensor, *learned: Tensor) -> Tensor:
        """Activations [R, batch, outputs * width] of pre-activations z [R, batch, pieces * width]."""
        raise NotImplementedError

    def derivative(self, z: Tensor, *learned: Tensor) -> Tensor:
        """Derivative of a unit's activation, the sum of its outputs, by each of its pre-activations, shaped as z."""
        raise NotImplementedError

    def backward(self, gradient: Tensor, z: Tensor, a: Tensor, *learned: Tensor) -> Tensor:
        """Gradient by z, shaped as z, from the gradient by a = value(z), shaped as a."""
        return self.derivative(z, *learned).mul_(gradient)

    def learned_gradients(self, gradient: Tensor, z: Tensor) -> tuple[Tensor, ...]:
        """Gradients by the learned parameters, each [R, 1, 1], summed over batch and units."""
        return ()

    def _power(self, z: Tensor, density: Tensor) -> float:
        """E[f(z)^2], the mean over a unit's outputs, on a grid z with the standard normal's weights `density`."""
        arguments = [z.new_tensor(start) for start in self.learned.values()]
        if self.random:
            arguments.append(self.randomize(z.new_tensor(0.5)))
        squares = self.value(z, *arguments).square().unflatten(-1, (self.outputs, -1)).mean(-2)
        return squares.mul_(density).sum().item()


ACTIVATIONS: Registry[Activation] = Registry("activation", Activation, required=("value", "derivative"))


def step(z: Tensor) -> Tensor:
    """1 where z > 0, else 0. Arithmetic on floats is several times faster here than a comparison and a cast."""
    return z.sign().clamp_(min=0)


def within(z: Tensor, bound: float) -> Tensor:
    """1 where |z| < bound, else 0."""
    return step(z.abs().neg_().add_(bound))
