"""The ensemble in JAX: one compiled function trains an epoch, a scan over its steps, mapped over the runs.

Convolutions are products over windows, and runs with them go one after the other within the compiled function: of the
ways that were tried the fastest on a core. XLA's own convolutions took far longer, run by run and with vmap,
which makes grouped ones of them; benchmarks/README.md has the figures.
"""

from __future__ import annotations

import functools
import itertools
import math
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.networks import Layer, Network
from benchmarks.protocol import Job, Training
from benchmarks.workloads import CONVOLUTIONS

EPS, MOMENTUM = 1e-5, 0.1  # of BatchNorm, as in torch


def initial(seed: int, network: Network) -> list[dict[str, np.ndarray]]:
    """kaiming_normal weights, zero biases; of all layers but the last also BatchNorm's scale and shift."""
    draw = np.random.default_rng(seed)

    def start(shape: tuple[int, ...], norm: bool) -> dict[str, np.ndarray]:
        weight, fan_out = draw.standard_normal(shape) * np.sqrt(2.0 / math.prod(shape[:-1])), shape[-1]
        layer = {"weight": weight, "bias": np.zeros(fan_out)}
        if norm:
            layer |= {"gamma": np.ones(fan_out), "beta": np.zeros(fan_out)}
        return {name: values.astype(np.float32) for name, values in layer.items()}

    hidden = [
        start((layer.kernel,) * 2 * (layer.kernel > 1) + (layer.inputs, layer.units), network.batchnorm)
        for layer in network.layers
    ]
    return [*hidden, start((network.head, network.classes), False)]


def forward(network: Network, parameters: Any, x: Any, running: Any = None) -> tuple[Any, list[Any]]:
    """Logits of one network and (mean, variance) of the batch in each norm; those in `running` are used if given."""
    found: list[Any] = []
    for index, (layer, own) in enumerate(zip(network.layers, parameters[:-1], strict=True)):
        x = _linear(layer, own["weight"], x) + own["bias"]
        if network.batchnorm:
            mean, variance = (x.mean(0), x.var(0)) if running is None else running[index]
            found.append((mean, variance))
            x = (x - mean) * jax.lax.rsqrt(variance + EPS) * own["gamma"] + own["beta"]
        x = jax.nn.relu(x)
        if layer.pooled:
            x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    last = parameters[-1]
    return x.reshape(len(x), -1) @ last["weight"] + last["bias"], found


def _linear(layer: Layer, weight: Any, x: Any) -> Any:
    if layer.kernel == 1:
        return x @ weight
    size, margin = layer.size, (layer.kernel // 2,) * 2
    images = jnp.pad(x.reshape(-1, size, size, layer.inputs), ((0, 0), margin, margin, (0, 0)))
    places = itertools.product(range(layer.kernel), repeat=2)
    windows = [images[:, row : row + size, column : column + size] for row, column in places]
    return jnp.concatenate(windows, -1) @ weight.reshape(-1, layer.units)


def loss(network: Network, parameters: Any, x: Any, y: Any) -> tuple[Any, list[Any]]:
    """Mean cross-entropy of one network on its batch, and the batch's statistics."""
    logits, found = forward(network, parameters, x)
    picked = jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], axis=1)
    return -picked.mean(), found


def epoch(network: Network, momentum: float, x: Any, y: Any, rate: Any, state: Any, batches: Any) -> Any:
    """One run's state (parameters, velocities, running statistics) after its batches of indices [steps, B]."""
    unbiased = batches.shape[1] / (batches.shape[1] - 1)

    def step(state: Any, batch: Any) -> tuple[Any, None]:
        parameters, velocities, running = state
        gradients, found = jax.grad(functools.partial(loss, network), has_aux=True)(parameters, x[batch], y[batch])
        velocities = jax.tree.map(lambda velocity, gradient: momentum * velocity + gradient, velocities, gradients)
        parameters = jax.tree.map(lambda weight, velocity: weight - rate * velocity, parameters, velocities)
        found = [(mean, variance * unbiased) for mean, variance in found]
        running = jax.tree.map(lambda old, new: old + MOMENTUM * (new - old), running, found)
        return (parameters, velocities, running), None

    return jax.lax.scan(step, state, batches)[0]


def accuracy(network: Network, x: Any, y: Any, state: Any) -> Any:
    """Share of right answers of one network, with running statistics."""
    parameters, _, running = state
    return (forward(network, parameters, x, running)[0].argmax(-1) == y).mean()


def train(job: Job) -> Training:
    """All runs at once; the first epoch, which compiles, is not among `epochs`."""
    workload, arrays, training = job.workload, job.arrays, Training()
    parameters = _stacked([initial(seed, job.network) for seed, _ in job.runs])
    norms = [(len(job.runs), layer.units) for layer in job.network.layers if workload.batchnorm]
    running = [(jnp.zeros(shape), jnp.ones(shape)) for shape in norms]
    state = (parameters, jax.tree.map(jnp.zeros_like, parameters), running)
    rates = jnp.array([rate for _, rate in job.runs])
    x, y = jnp.asarray(arrays.train_x), jnp.asarray(arrays.train_y)
    one_epoch = functools.partial(epoch, job.network, workload.momentum)
    over_runs = jax.lax.map if CONVOLUTIONS in workload.needs else _vmap

    def of_all_runs(x: Any, y: Any, rates: Any, state: Any, batches: Any) -> Any:
        return over_runs(lambda own: one_epoch(x, y, *own), (rates, state, batches))

    all_runs = jax.jit(of_all_runs, donate_argnums=3)
    draws = [np.random.default_rng((seed, 1)) for seed, _ in job.runs]
    used = job.steps_per_epoch * workload.batch_size
    for _ in range(workload.epochs):
        clock = time.perf_counter()
        order = np.stack([draw.permutation(len(y))[:used] for draw in draws])
        batches = order.reshape(len(draws), job.steps_per_epoch, workload.batch_size)
        state = jax.block_until_ready(all_runs(x, y, rates, state, batches))
        training.epochs.append(time.perf_counter() - clock)
    # Run by run: the feature maps of all runs and test examples together would be gigabytes.
    one_score = functools.partial(accuracy, job.network, arrays.test_x, arrays.test_y)
    scores = jax.jit(functools.partial(jax.lax.map, one_score))(state)
    training.accuracies = np.asarray(scores).tolist()
    del training.epochs[0]
    return training


def _vmap(function: Any, arguments: Any) -> Any:
    """jax.lax.map with all at once."""
    return jax.vmap(function)(arguments)


def _stacked(trees: list[Any]) -> Any:
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)
