"""The network of a workload as every peer builds it: plain numbers, so that they can go to a script as JSON."""

from __future__ import annotations

from dataclasses import dataclass

from trainability.blueprint import Blueprint


@dataclass(frozen=True)
class Layer:
    """A hidden layer: fully connected, or with a kernel > 1 a convolution with zeros around its image."""

    size: int  # height and width of the image that it sees, 1 if none
    inputs: int  # features, or channels of the image
    units: int
    kernel: int = 1
    pooled: bool = False  # whether the largest of each 2 x 2 positions is taken after the activation


@dataclass(frozen=True)
class Network:
    """Hidden layers of ReLU units, with batch normalization before the activation or without, and an output layer."""

    layers: tuple[Layer, ...]
    head: int  # inputs of the output layer
    classes: int
    batchnorm: bool

    @classmethod
    def of(cls, plan: Blueprint, batchnorm: bool) -> Network:
        """What our trainer builds from a blueprint; raises ValueError if peers would build something else."""
        images = [layer.sees for layer in plan.layers]
        square = images[0].channels == 1 and all(image.height == image.width for image in images)
        if plan.convolutional and (plan.mean_head or not square or any(one.pooling == "mean" for one in plan.layers)):
            raise ValueError("peers know square grey images, max pooling, and an output layer that sees every position")
        layers = (
            Layer(layer.sees.height, layer.sees.channels, layer.units, layer.kernel, layer.pooling == "max")
            for layer in plan.layers
        )
        return cls(tuple(layers), plan.head_features, plan.classes, batchnorm)
