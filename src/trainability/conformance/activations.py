"""What every activation must do, whatever its formula."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from trainability.activations import Activation
from trainability.conformance.comparing import farthest, not_finite, same
from trainability.conformance.trials import PARTS, WIDE, Trial, part_of, results, trial

STEP = 1e-6  # of the central differences, in float64


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
    """The derivative is the finite difference of the value.

    Of a unit with several outputs it is that of their sum.
    """
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
        some = Trial(part_of(t.z, place), [part_of(a, place) for a in t.arguments], part_of(t.gradient, place))
        alone = results(unit, some)
        for name in ("value", "derivative", "backward"):
            found, expected = alone[name], part_of(whole[name], place)
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


def randomized(unit: Activation) -> Iterator[str]:
    """If it is random, its argument is shaped as the draws and a function of them alone, for halves [1, 1, 1] too."""
    if not unit.random:
        return
    for dtype in (torch.float32, torch.float64):
        t = trial(unit, dtype)
        many = torch.rand(t.z.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64).to(dtype)
        for draws in (many, many.new_full((1, 1, 1), 0.5)):
            given, found = draws.clone(), unit.randomize(draws)
            words = f"randomize of draws {list(draws.shape)} {dtype}"
            if found.shape != draws.shape or found.dtype != dtype:
                yield f"{words} gives {list(found.shape)} {found.dtype}"
            elif not_finite(found):
                yield f"{words} gives {found[not_finite(found)].item()}"
            if not same(draws, given):
                yield f"{words} changes them: work on a copy"
            if not same(unit.randomize(draws[-1:]), found[-1:]):
                yield f"{words} gives another argument the second time, or in another stack: use each draw alone"


def evaluated(unit: Activation) -> Iterator[str]:
    """If it is random, the argument of an evaluation, made of halves [1, 1, 1], serves for every pre-activation."""
    if not unit.random:
        return
    t = trial(unit)
    half = unit.randomize(t.z.new_full((1, 1, 1), 0.5))
    found = results(unit, Trial(t.z, [*t.arguments[:-1], half], t.gradient))
    spread = results(unit, Trial(t.z, [*t.arguments[:-1], half.expand_as(t.z)], t.gradient))
    for name, tensor in found.items():
        if not same(tensor, spread[name]):
            yield f"{name} is another than with the same argument shaped as z"


STAGES = (
    (facts,),
    (randomized,),
    (forms,),
    (evaluated, finite, inputs_kept, deterministic, slopes, gradients, agreement, learned, place_independent, steepest),
)


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
