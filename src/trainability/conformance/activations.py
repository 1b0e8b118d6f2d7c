"""What every activation must do, whatever its formula."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from trainability.activations import Activation
from trainability.conformance.comparing import farthest, not_finite, same

STEP = 1e-6  # of the central differences, in float64
WIDE = 499  # numbers beside each other, more than any vector has and no multiple of its length


class Part(NamedTuple):
    """A part of a stack: one run, some examples of it, some units."""

    run: int
    example: int
    examples: int
    unit: int
    units: int


PARTS = (
    Part(0, 0, 1, 0, 1),
    Part(1, 1, 2, 1, 3),
    Part(2, 0, 4, 5, 7),
    Part(0, 3, 1, 2, 13),
    Part(1, 0, 3, 0, 29),
    Part(2, 1, 1, 9, 33),
)


@dataclass(frozen=True)
class Trial:
    """One call: z [R, B, pieces * width], what follows it, and a gradient [R, B, outputs * width]."""

    z: Tensor
    arguments: list[Tensor]
    gradient: Tensor

    @property
    def tensors(self) -> list[Tensor]:
        return [self.z, self.gradient, *self.arguments]


def trial(unit: Activation, dtype: torch.dtype = torch.float64, z: Tensor | None = None, width: int = 7) -> Trial:
    """Random pre-activations, learned parameters that differ between runs, the draws of training."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)

    z = 3 * normal(3, 4, unit.pieces * width) if z is None else z.to(dtype)
    runs = torch.arange(len(z), dtype=torch.float64).view(-1, 1, 1)
    arguments = [(start + 0.05 * runs).to(dtype) for start in unit.learned.values()]
    if unit.random:
        arguments.append(unit.randomize(torch.rand(z.shape, generator=generator, dtype=torch.float64).to(dtype)))
    return Trial(z, arguments, normal(*z.shape[:2], z.shape[-1] // unit.pieces * unit.outputs))


def results(unit: Activation, t: Trial) -> dict[str, Tensor]:
    """All that an activation computes of one call, by the method's name."""
    a = unit.value(t.z, *t.arguments)
    learned = unit.learned_gradients(t.gradient, t.z)
    return {
        "value": a,
        "derivative": unit.derivative(t.z, *t.arguments),
        "backward": unit.backward(t.gradient.clone(), t.z, a.clone(), *t.arguments),
        **{f"learned_gradients[{index}]": gradient for index, gradient in enumerate(learned)},
    }


def facts(unit: Activation) -> Iterator[str]:
    """Its properties are numbers in their ranges."""
    for name in ("pieces", "outputs"):
        number = getattr(unit, name)
        if not isinstance(number, int) or number < 1:
            yield f"{name} is {number!r}, not a whole number from 1"
    for name, least in (("steepest", 0.0), ("negative_slope", -math.inf)):
        number = getattr(unit, name)
        if not math.isfinite(number) or number <= least:
            yield f"{name} is {number!r}, not a finite number" + (" above 0" if least == 0 else "")
    for name, start in unit.learned.items():
        if not math.isfinite(start):
            yield f"the learned parameter {name} starts at {start!r}, which is not finite"


def forms(unit: Activation) -> Iterator[str]:
    """Values and gradients have the shapes of the protocol, and the dtype of z."""
    for dtype in (torch.float32, torch.float64):
        t = trial(unit, dtype)
        found = results(unit, t)
        shapes = {"value": t.gradient.shape, "derivative": t.z.shape, "backward": t.z.shape}
        count = sum(name.startswith("learned") for name in found)
        if count != len(unit.learned):
            yield f"learned_gradients gives {count} tensors for {len(unit.learned)} learned parameters"
        for name, tensor in found.items():
            shape = shapes.get(name, (len(t.z), 1, 1))
            if tensor.shape != shape or tensor.dtype != dtype:
                yield (
                    f"{name} of z {list(t.z.shape)} {dtype} is {list(tensor.shape)} {tensor.dtype}, "
                    f"expected {list(shape)} {dtype}"
                )


def finite(unit: Activation) -> Iterator[str]:
    """Values and gradients are finite from -10000 to 10000, in float32 and float64."""
    for dtype in (torch.float32, torch.float64):
        sizes = torch.logspace(-30, 4, 69, dtype=torch.float64)
        line = torch.cat([-sizes, torch.zeros(1), sizes])
        t = trial(unit, dtype, line.repeat(unit.pieces).expand(3, 1, -1))
        for name, tensor in results(unit, t).items():
            place = not_finite(tensor)
            if place and tensor.shape[-1] > 1:
                z = t.z[place[0], place[1], place[2] % len(line)].item()
                yield f"{name} is {tensor[place].item()} at z = {z:.6g} in {dtype}"
            elif place:
                yield f"{name} is {tensor[place].item()} in {dtype}"


def inputs_kept(unit: Activation) -> Iterator[str]:
    """What it is given stays as it was, and what it returns is new memory."""
    calls: dict[str, Callable[[Trial, Tensor], object]] = {
        "value": lambda t, a: unit.value(t.z, *t.arguments),
        "derivative": lambda t, a: unit.derivative(t.z, *t.arguments),
        "backward": lambda t, a: unit.backward(t.gradient, t.z, a, *t.arguments),
        "learned_gradients": lambda t, a: unit.learned_gradients(t.gradient, t.z),
    }
    for name, call in calls.items():
        t, untouched = trial(unit), trial(unit)
        a = unit.value(untouched.z, *untouched.arguments)
        given = [*t.tensors, a]
        before = [tensor.clone() for tensor in given]
        returned = call(t, a)
        if not all(map(same, given, before)):
            yield f"{name} changes a tensor that it is given: work on a copy"
        if name in ("value", "derivative") and isinstance(returned, Tensor):
            if returned.untyped_storage().data_ptr() in {tensor.untyped_storage().data_ptr() for tensor in given}:
                yield f"{name} returns a tensor that it was given, which the caller may change: return a clone"
            if returned.untyped_storage().nbytes() < returned.nbytes:
                yield f"{name} returns an expanded tensor, which the caller cannot change in place: return a clone"


def deterministic(unit: Activation) -> Iterator[str]:
    """The same input gives the same bits, whatever random numbers others have drawn."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        first = results(unit, trial(unit))
        torch.manual_seed(2)
        second = results(unit, trial(unit))
    for name in first:
        if not same(first[name], second[name]):
            yield f"{name} is another the second time"


def slopes(unit: Activation) -> Iterator[str]:
    """The derivative is the finite difference of the value."""
    if unit.outputs > 1:  # a unit then has a derivative by each output: `backward` is what counts
        return
    t = trial(unit)
    found, expected = unit.derivative(t.z, *t.arguments), _differences(unit, t, torch.ones_like(t.gradient))
    yield from _different("derivative", t, found, expected)


def gradients(unit: Activation) -> Iterator[str]:
    """The backward pass is the finite difference of the value, times the gradient."""
    t = trial(unit)
    found = unit.backward(t.gradient.clone(), t.z, unit.value(t.z, *t.arguments), *t.arguments)
    yield from _different("backward", t, found, _differences(unit, t, t.gradient))


def agreement(unit: Activation) -> Iterator[str]:
    """The backward pass and the derivative agree, also at kinks such as 0."""
    if unit.outputs > 1:
        return
    places = torch.tensor([-6.0, -3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0, 6.0], dtype=torch.float64)
    t = trial(unit, z=places.repeat(unit.pieces).expand(3, 1, -1).contiguous())
    expected = unit.derivative(t.z, *t.arguments) * t.gradient.repeat(1, 1, unit.pieces)
    found = unit.backward(t.gradient.clone(), t.z, unit.value(t.z, *t.arguments), *t.arguments)
    place = farthest(found, expected, rtol=1e-6, atol=1e-9)
    if place:
        yield (
            f"at z = {t.z[place].item():.6g} backward gives {found[place].item():.6g}, the derivative times the "
            f"gradient is {expected[place].item():.6g}"
        )


def learned(unit: Activation) -> Iterator[str]:
    """Gradients by learned parameters are finite differences, summed over examples and units."""
    t = trial(unit)
    for index, name in enumerate(unit.learned):
        up, down = ([a.clone() for a in t.arguments] for _ in range(2))
        up[index] += STEP
        down[index] -= STEP
        rise = (unit.value(t.z, *up) - unit.value(t.z, *down)) / (2 * STEP)
        expected = (rise * t.gradient).sum((1, 2), keepdim=True)
        found = unit.learned_gradients(t.gradient, t.z)[index]
        place = farthest(found, expected, rtol=1e-5, atol=1e-6)
        if place:
            yield (
                f"by {name} in run {place[0]} it is {found[place].item():.6g}, "
                f"the finite difference {expected[place].item():.6g}"
            )


def place_independent(unit: Activation) -> Iterator[str]:
    """A run has the same bits alone as in a stack, and a number wherever it stands."""
    t = trial(unit, torch.float32, width=WIDE)
    whole = results(unit, t)
    for place in PARTS:
        some = Trial(_part(t.z, place), [_part(a, place) for a in t.arguments], _part(t.gradient, place))
        alone = results(unit, some)
        for name in ("value", "derivative", "backward"):
            found, expected = alone[name], _part(whole[name], place)
            where = farthest(found, expected)
            if where:
                yield (
                    f"{name} is {found[where].item():.9g} in a stack of 1 run, {place.examples} examples and "
                    f"{place.units} units, and {expected[where].item():.9g} in one of 3, 4 and {WIDE}: it mixes "
                    "numbers, or uses a function of torch that computes the last few numbers of a tensor by another "
                    "formula (sigmoid and pow do; exp, tanh, sqrt and plain arithmetic do not)"
                )


def steepest(unit: Activation) -> Iterator[str]:
    """No slope of a unit of one piece is steeper than `steepest`."""
    if unit.pieces > 1 or unit.outputs > 1:
        return
    z = (torch.arange(-40_000, 40_001, dtype=torch.float64) / 1000).view(1, 1, -1)  # 0 is among them
    t = trial(unit, z=z)
    size = unit.derivative(t.z, *t.arguments).abs()
    highest = int(size.argmax())
    if size.flatten()[highest] > unit.steepest * (1 + 1e-6):
        at = f"at z = {z.flatten()[highest].item():.6g}"
        yield f"the slope {at} is {size.max().item():.9g}, steepest says {unit.steepest:.9g}"


STAGES = (
    (facts,),
    (forms,),
    (finite, inputs_kept, deterministic, slopes, gradients, agreement, learned, place_independent, steepest),
)


def _part(tensor: Tensor, part: Part) -> Tensor:
    """Of [R, B, pieces * WIDE] the part [1, examples, pieces * units]; of [R, 1, 1] that run's."""
    run = tensor[part.run : part.run + 1]
    if tensor.shape[-1] == 1:
        return run
    rows = run[:, part.example : part.example + part.examples].unflatten(-1, (-1, WIDE))
    return rows[..., part.unit : part.unit + part.units].flatten(2).contiguous()


def _differences(unit: Activation, t: Trial, gradient: Tensor) -> Tensor:
    """Central difference of (gradient * value) summed over a unit's outputs, by every pre-activation, shaped as z."""
    columns = []
    for index in range(t.z.shape[-1]):
        shift = torch.zeros(t.z.shape[-1], dtype=t.z.dtype)
        shift[index] = STEP
        rise = unit.value(t.z + shift, *t.arguments) - unit.value(t.z - shift, *t.arguments)
        columns.append((rise * gradient).sum(-1) / (2 * STEP))
    return torch.stack(columns, -1)


def _different(name: str, t: Trial, found: Tensor, expected: Tensor) -> Iterator[str]:
    place = farthest(found, expected, rtol=1e-5, atol=1e-6)
    if place:
        yield (
            f"at z = {t.z[place].item():.6g} {name} gives {found[place].item():.6g}, "
            f"the finite difference is {expected[place].item():.6g}"
        )
