"""The ensemble with torch.func: vmap of grad of one network's loss, and SGD on the stacked parameters.

torch.nn.BatchNorm1d changes its running statistics in place, which vmap does not allow, so that the network is
written as a function of its modules' parameters; it returns the batch's statistics beside the loss.
"""

from __future__ import annotations

import functools
import time

import torch
import torch._dynamo  # torch imports it at first use; libraries are loaded before the clock starts
from torch import Tensor, nn
from torch.func import grad, stack_module_state, vmap
from torch.nn import functional

from benchmarks.peers.plain_script import sequential
from benchmarks.protocol import Job, Training

Named = dict[str, Tensor]
EPS, MOMENTUM = 1e-5, 0.1  # torch.nn.BatchNorm1d's


def forward(model: nn.Sequential, parameters: Named, x: Tensor, running: Named | None = None) -> tuple[Tensor, Named]:
    """Logits of one network and the statistics of the batch; those in `running` are used instead if given.

    `parameters` take the place of the model's; names are those of `sequential`: number of the module, weight or bias.
    """
    found: Named = {}
    for number, module in enumerate(model):
        weight, bias = parameters.get(f"{number}.weight"), parameters.get(f"{number}.bias")
        if isinstance(module, nn.Linear):
            x = functional.linear(x, weight, bias)
        elif isinstance(module, nn.Conv2d):
            x = functional.conv2d(x, weight, bias, padding="same")
        elif isinstance(module, nn.BatchNorm1d):
            if running is None:
                variance, mean = torch.var_mean(x, 0, correction=0)
                found |= {f"{number}.running_mean": mean.detach(), f"{number}.running_var": variance.detach()}
            else:
                mean, variance = running[f"{number}.running_mean"], running[f"{number}.running_var"]
            x = (x - mean) * torch.rsqrt(variance + EPS) * weight + bias
        else:  # without parameters
            x = module(x)
    return x, found


def loss(model: nn.Sequential, parameters: Named, x: Tensor, y: Tensor) -> tuple[Tensor, Named]:
    """Mean cross-entropy of one network on its batch, and the batch's statistics."""
    logits, found = forward(model, parameters, x)
    return functional.cross_entropy(logits, y), found


def train(job: Job) -> Training:
    """All runs at once, each with its own batches and learning rate."""
    workload, arrays, training = job.workload, job.arrays, Training()
    x, y = torch.from_numpy(arrays.train_x), torch.from_numpy(arrays.train_y)
    models = []
    for seed, _ in job.runs:
        torch.manual_seed(seed)
        models.append(sequential(job.network))
    parameters, buffers = stack_module_state(models)  # type: ignore[arg-type]
    parameters = {name: values.detach() for name, values in parameters.items()}
    velocities = {name: torch.zeros_like(values) for name, values in parameters.items()}
    rates = torch.tensor([rate for _, rate in job.runs])
    gradients_of = vmap(grad(functools.partial(loss, models[0]), has_aux=True))
    orders = [torch.Generator().manual_seed(seed) for seed, _ in job.runs]
    used, unbiased = job.steps_per_epoch * workload.batch_size, workload.batch_size / (workload.batch_size - 1)
    with torch.no_grad():
        for _ in range(workload.epochs):
            clock = time.perf_counter()
            order = torch.stack([torch.randperm(len(y), generator=draw)[:used] for draw in orders])
            for batch in order.split(workload.batch_size, dim=1):
                gradients, found = gradients_of(parameters, x[batch], y[batch])
                for name, weight in parameters.items():
                    velocities[name].mul_(workload.momentum).add_(gradients[name])
                    weight.addcmul_(velocities[name], rates.view(-1, *[1] * (weight.ndim - 1)), value=-1.0)
                for name, statistic in found.items():
                    scale = unbiased if name.endswith("var") else 1.0
                    buffers[name].lerp_(statistic * scale, MOMENTUM)
            training.epochs.append(time.perf_counter() - clock)
        # A seed's runs at a time: the feature maps of all runs and test examples together would be gigabytes.
        evaluate = vmap(functools.partial(forward, models[0]), (0, None, 0), chunk_size=len(workload.learning_rates))
        logits, _ = evaluate(parameters, torch.from_numpy(arrays.test_x), buffers)
        right = logits.argmax(-1) == torch.from_numpy(arrays.test_y)
        training.accuracies = right.double().mean(1).tolist()
    del training.epochs[0]
    return training
