"""The matrix products of a training step and nothing else, into buffers that are there: the limit on this core.

The output layer has its columns filled up to 16, as that is faster than the 10 it needs.
"""

from __future__ import annotations

import itertools
import math

import torch

from benchmarks.protocol import Job, steady_seconds

COLUMNS = 16


def steady(job: Job) -> float:
    """Products forward, by the weights, and by the input of all layers but the first, batched over runs."""
    workload = job.workload
    widths = [job.features, *[workload.width] * workload.depth, COLUMNS * math.ceil(job.classes / COLUMNS)]
    shapes = list(itertools.pairwise(widths))
    runs, batch = len(job.runs), workload.batch_size
    weights = [torch.randn(runs, *shape) for shape in shapes]
    gradients = [torch.zeros_like(weight) for weight in weights]
    layers = [torch.randn(runs, batch, width) for width in widths]
    errors = [torch.randn(runs, batch, width) for width in widths]

    def step() -> None:
        for index, weight in enumerate(weights):
            torch.bmm(layers[index], weight, out=layers[index + 1])
        for index in reversed(range(len(weights))):
            torch.bmm(layers[index].mT, errors[index + 1], out=gradients[index])
            if index:
                torch.bmm(errors[index + 1], weights[index].mT, out=errors[index])

    # Without the other operations the numbers must not grow from step to step: layers and errors are overwritten
    # from the same input and output every time.
    with torch.inference_mode():
        return steady_seconds(step, job.steps_per_epoch * workload.epochs)
