"""What every normalization must do, whatever its formula: of a layer's activations or of its weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from trainability import network
from trainability.conformance import backward
from trainability.conformance.comparing import farthest, not_finite, same
from trainability.conformance.normalizing import RUNS, Layer, different, layers, results, wide
from trainability.normalizations import Normalization
from trainability.normalizers import Normalizer
from trainability.passes import Mode

POSITIONS = ("absent", "before", "after", "weights")


def facts(normalization: Normalization) -> Iterator[str]:
    """Its properties are of their types and fit its position."""
    position = normalization.position
    if position not in POSITIONS:
        yield f"position is {position!r}, expected one of {', '.join(POSITIONS)}"
    for name, least in (("learned", 0), ("divisor", 1)):
        number = getattr(normalization, name)
        if type(number) is not int or number < least:
            yield f"{name} is {number!r}, not a whole number from {least}"
    for name in ("absorbs_bias", "of_batch"):
        if not isinstance(getattr(normalization, name), bool):
            yield f"{name} is {getattr(normalization, name)!r}"
    if normalization.absorbs_bias and position != "before":
        yield f"absorbs_bias is true, but position is {position!r}: the activation comes between bias and normalization"
    if normalization.learned and position not in ("before", "after"):
        yield f"learned is {normalization.learned}, but only a normalizer before or after the activation can learn"


def forms(normalization: Normalization) -> Iterator[str]:
    """Results have the shape and dtype of x, and as many parameters as `learned` says."""
    fewest = 2 if normalization.of_batch else 1
    for dtype in (torch.float32, torch.float64):
        for layer in layers(normalization, dtype):
            normalizer = layer.fresh()
            if not isinstance(normalizer, Normalizer):
                yield f"start gives {type(normalizer).__name__}, expected trainability.api.Normalizer"
            yield from _parameters(layer, normalizer)
            for examples in (layer.examples, fewest):
                some = layer if layer.of_weights else replace(layer, examples=examples)
                for mode in (Mode.TRAIN, Mode.PROBE):
                    for name, tensor in results(normalizer, some.x(1), some.dy(), mode).items():
                        if name in ("forward", "backward"):
                            yield from _form(f"{name} in {mode.name} of {some.words}", tensor, some.x(1))
            alone = layer if layer.of_weights else replace(layer, examples=1)
            found = normalizer.forward(alone.x(1), Mode.EVALUATE)
            yield from _form(f"forward in EVALUATE of {alone.words}", found, alone.x(1))


def kept(normalization: Normalization) -> Iterator[str]:
    """What it is given stays as it was, and so do results and parameters."""
    for layer in layers(normalization):
        for mode in Mode:
            normalizer, x, dy = layer.trained(), layer.x(3), layer.dy()
            given = {"x": x, "the gradient dy": dy} | {
                f"parameter {index}": parameter for index, parameter in enumerate(normalizer.parameters)
            }
            before = {name: tensor.clone() for name, tensor in given.items()}
            given["the result of forward"] = normalizer.forward(x, mode)
            before["the result of forward"] = given["the result of forward"].clone()
            if mode is not Mode.EVALUATE:
                normalizer.backward(dy, [torch.zeros_like(p) for p in normalizer.parameters], 0.0)
            for name, tensor in given.items():
                if not same(tensor, before[name]):
                    yield f"a pass in {mode.name} changes {name}: work on a copy"


def deterministic(normalization: Normalization) -> Iterator[str]:
    """The same steps give the same bits, whatever random numbers others have drawn."""
    for layer in layers(normalization):
        with torch.random.fork_rng(devices=[]):
            found = []
            for seed in (1, 2):
                torch.manual_seed(seed)
                found.append(_history(layer, slice(None)))
        for name in found[0]:
            if not same(found[0][name], found[1][name]):
                yield f"{name} is another the second time"


def undisturbed(normalization: Normalization) -> Iterator[str]:
    """Passes in PROBE and EVALUATE change nothing that later ones need."""
    for layer in layers(normalization):
        undisturbed, disturbed = layer.trained(), layer.trained()
        for mode in (Mode.PROBE, Mode.EVALUATE):
            disturbed.forward(layer.x(5), mode)
            if mode is Mode.PROBE:
                disturbed.backward(layer.dy(), [torch.zeros_like(p) for p in disturbed.parameters], 0.0)
            for later in (Mode.EVALUATE, Mode.PROBE, Mode.TRAIN, Mode.EVALUATE):
                if not same(disturbed.forward(layer.x(6), later), undisturbed.forward(layer.x(6), later)):
                    yield f"after a pass in {mode.name}, one in {later.name} has other results than without it"


def state_in_place(normalization: Normalization) -> Iterator[str]:
    """What training remembers is in tensors that it changes in place: steps can be replayed, trainings resumed."""
    for layer in layers(normalization):
        normalizer = layer.trained()
        before = dict(vars(normalizer))
        normalizer.forward(layer.x(3), Mode.TRAIN)
        remembered = normalizer.forward(layer.x(4), Mode.EVALUATE).clone()
        changed = [name for name, value in vars(normalizer).items() if before.get(name) is not value]
        # As in a replay, which knows the tensors of the recording and none that were put in their place.
        vars(normalizer).update(before)
        if not same(normalizer.forward(layer.x(4), Mode.EVALUATE), remembered):
            yield f"a step puts new objects in the place of {' or '.join(changed)}: use lerp_, copy_, add_"
        elif not same(_resumed(layer).forward(layer.x(4), Mode.EVALUATE), remembered):
            yield "a step remembers something that is in none of the tensors that the object has when it is made"


def runs_apart(normalization: Normalization) -> Iterator[str]:
    """A run has the same bits alone as in a stack."""
    for layer in map(wide, layers(normalization)):
        whole = _history(layer, slice(None))
        for run in range(RUNS):
            for name, found in _history(layer, slice(run, run + 1)).items():
                expected = whole[name][run : run + 1]
                place = farthest(found, expected)
                if place:
                    yield (
                        f"{name} of {layer.words} is {found[place].item():.9g} alone and {expected[place].item():.9g} "
                        f"among {RUNS} runs: it mixes runs, or torch sums in another order there"
                    )


def examples_apart(normalization: Normalization) -> Iterator[str]:
    """An example's result depends on no other in EVALUATE, and elsewhere only if `of_batch` says so."""
    modes = [Mode.EVALUATE] if normalization.of_batch else [Mode.EVALUATE, Mode.PROBE]
    for layer in layers(normalization):
        if layer.of_weights:
            return
        normalizer, x = layer.trained(), layer.x(3)
        for mode in modes:
            whole = normalizer.forward(x, mode).clone()
            for example in range(layer.examples):
                rows = slice(example * layer.positions, (example + 1) * layer.positions)
                found = normalizer.forward(x[:, rows], mode)
                yield from different(f"alone in {mode.name}, of {layer.words},", found, whole[:, rows], "in the batch")


def bias_absorbed(normalization: Normalization) -> Iterator[str]:
    """If it absorbs biases, a constant added to a unit changes nothing."""
    for layer in layers(normalization) if normalization.absorbs_bias else ():
        normalizer, x = layer.trained(), layer.x(3)
        without = normalizer.forward(x, Mode.PROBE).clone()
        found = normalizer.forward(x + 3 * layer.normal(300, RUNS, 1, layer.units), Mode.PROBE)
        yield from different(f"with biases added to {layer.words}", found, without, "without")


def finite(normalization: Normalization) -> Iterator[str]:
    """Results and gradients are finite in float32, also where a unit is constant, all are dead, or numbers are large.

    In EVALUATE they are after steps on just such numbers.
    """
    cases: dict[str, Callable[[Tensor], Tensor]] = {
        "usual numbers": lambda x: x,
        "one constant unit": lambda x: torch.cat([torch.full_like(x[..., :1], 0.1), x[..., 1:]], -1),
        "nothing but zeros": torch.zeros_like,
        "numbers up to 10000": lambda x: x * (1e4 / x.abs().max()),
    }
    for layer in layers(normalization, torch.float32):
        for words, made in cases.items():
            normalizer = layer.fresh()
            found: dict[str, Tensor] = {}
            for number in range(5):
                found |= results(normalizer, made(layer.x(number)), layer.dy(), Mode.TRAIN)
            found["forward in EVALUATE"] = normalizer.forward(made(layer.x(9)), Mode.EVALUATE)
            for name, tensor in found.items():
                place = not_finite(tensor)
                if place:
                    yield f"{name} of {layer.words} is {tensor[place].item()} at {list(place)}, given {words}"


STAGES = (
    (facts,),
    (forms,),
    (
        kept,
        deterministic,
        backward.gradients,
        backward.learned_gradients,
        backward.carried,
        backward.trained_as_probed,
        undisturbed,
        state_in_place,
        runs_apart,
        examples_apart,
        bias_absorbed,
        finite,
    ),
)


def _resumed(layer: Layer) -> Normalizer:
    """A normalizer that has not seen three steps, but what a checkpoint after them holds of another one."""
    trained, resumed = layer.fresh(), layer.fresh()
    kept = [*trained.parameters, *network.remembered(trained)]
    layer.train(trained)
    trained.forward(layer.x(3), Mode.TRAIN)
    for mine, saved in zip([*resumed.parameters, *network.remembered(resumed)], kept, strict=True):
        mine.copy_(saved)
    return resumed


def _parameters(layer: Layer, normalizer: Normalizer) -> Iterator[str]:
    """Problems of the learned tensors at the start."""
    numbers = 0
    for index, parameter in enumerate(normalizer.parameters):
        if parameter.ndim != 3 or len(parameter) != RUNS or parameter.dtype != layer.dtype:
            yield (
                f"parameter {index} of {layer.words} is {list(parameter.shape)} {parameter.dtype}, "
                f"expected [{RUNS}, 1, {layer.units}] {layer.dtype}"
            )
        numbers += parameter[0].numel()
    learned = layer.normalization.learned
    if numbers != learned * layer.units:
        yield f"parameters of {layer.units} units are {numbers} numbers a run, learned says {learned} a unit"


def _history(layer: Layer, runs: slice) -> dict[str, Tensor]:
    """All that some of the runs compute in a few steps, by mode and name."""
    normalizer = layer.trained(runs)
    found: dict[str, Tensor] = {}
    for mode in (Mode.PROBE, Mode.TRAIN):
        computed = results(normalizer, layer.x(3)[runs], layer.dy()[runs], mode)
        found |= {f"{name} in {mode.name}": tensor for name, tensor in computed.items()}
    return found | {"forward in EVALUATE": normalizer.forward(layer.x(4)[runs], Mode.EVALUATE)}


def _form(name: str, found: Tensor, like: Tensor) -> Iterator[str]:
    if found.shape != like.shape or found.dtype != like.dtype:
        yield f"{name} is {list(found.shape)} {found.dtype}, expected {list(like.shape)} {like.dtype}"
