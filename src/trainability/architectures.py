"""Architectures: how a depth and a width become layers.

Each entry draws the hidden layers of a network as `blueprint.LayerPlan`s; `network` builds any of them. All have one
linear output layer behind the last hidden one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from trainability.blueprint import Grid, LayerPlan, Pooling
from trainability.registry import Component, Registry

Count = Annotated[int, Field(ge=1, le=64)]


class Architecture(Component):
    """How hidden layers follow each other."""

    @property
    def needs_image(self) -> bool:
        """Whether inputs must be images, so that a unit can see a part of them."""
        return False

    @property
    def mean_head(self) -> bool:
        """Whether the output layer sees the mean over all positions of the last layer, not each of them."""
        return False

    def layers(self, image: Grid, depth: int, width: int, outputs: int) -> Iterator[LayerPlan]:
        """`depth` hidden layers, from the input on; a unit passes `outputs` numbers on to the next layer."""
        raise NotImplementedError

    def problem(self, image: Grid, depth: int) -> str:
        """Why there is no such network, or nothing."""
        return ""


ARCHITECTURES: Registry[Architecture] = Registry("architecture")


@ARCHITECTURES.register
class Mlp(Architecture):
    """Fully connected: `depth` layers of `width` units, each sees all units of the one before."""

    reference = "Rumelhart, Hinton & Williams 1986, Learning representations by back-propagating errors"

    name: Literal["mlp"] = "mlp"

    def layers(self, image: Grid, depth: int, width: int, outputs: int) -> Iterator[LayerPlan]:
        sees = Grid(1, 1, image.features)
        for _ in range(depth):
            layer = LayerPlan(sees, width)
            yield layer
            sees = layer.puts_out(outputs)


@ARCHITECTURES.register
class ResidualMlp(Architecture):
    """Fully connected with identity shortcuts over `block` layers each (He et al. 2016b, full pre-activation).

    The first layer's linear map starts a stream r; every block of layers adds its last linear map's output to it, and
    the layer that follows sees activation(normalization(r)). `depth` is 1 + a multiple of `block`.
    """

    reference = "He et al. 2016b, Identity Mappings in Deep Residual Networks, figure 4e, arXiv 1603.05027"

    name: Literal["residual_mlp"] = "residual_mlp"
    block: Count = 2

    def layers(self, image: Grid, depth: int, width: int, outputs: int) -> Iterator[LayerPlan]:
        sees = Grid(1, 1, image.features)
        for index in range(depth):
            ends = index % self.block == 0
            layer = LayerPlan(sees, width, taps=ends, adds=ends and index > 0)
            yield layer
            sees = layer.puts_out(outputs)

    def problem(self, image: Grid, depth: int) -> str:
        fits = depth > self.block and (depth - 1) % self.block == 0
        return "" if fits else f"depth {depth} must be 1 + a multiple of {self.block}, the layers of a block"


class _Convolutional(Architecture):
    kernel: Annotated[int, Field(ge=1, le=15)] = 3
    pooling: Pooling = "max"
    growth: Annotated[int, Field(ge=1, le=4)] = 2

    @property
    def needs_image(self) -> bool:
        return True

    def problem(self, image: Grid, depth: int) -> str:
        if self.kernel % 2 == 0:
            return f"kernel {self.kernel} must be odd, so that a window has a middle"
        smallest, stages = min(image.height, image.width), self.stages_of(depth)
        if self.pooling != "none" and smallest < 2 ** (stages - 1):
            halvings = f"{stages - 1} times" if stages > 2 else "once"
            return f"images of {image.height} x {image.width} cannot be halved {halvings}: fewer layers or stages"
        return ""

    def stages_of(self, depth: int) -> int:
        """Parts of the network that work at one size of image."""
        raise NotImplementedError


@ARCHITECTURES.register
class Cnn(_Convolutional):
    """A plain convolutional network in the manner of VGG (Simonyan & Zisserman 2015).

    Stages of `convolutions` layers whose units see `kernel` x `kernel` windows with zeros around the image; between
    stages 2 x 2 `pooling` halves the image and the units grow `growth` times. `width` is the units (channels) of the
    first stage, `depth` the number of convolutions. The output layer sees the mean over positions, or with
    `head: flatten` every position.
    """

    reference = "Simonyan & Zisserman 2015, section 2.1, arXiv 1409.1556"

    name: Literal["cnn"] = "cnn"
    convolutions: Count = 2
    head: Literal["mean", "flatten"] = "mean"

    @property
    def mean_head(self) -> bool:
        return self.head == "mean"

    def stages_of(self, depth: int) -> int:
        return -(-depth // self.convolutions)

    def layers(self, image: Grid, depth: int, width: int, outputs: int) -> Iterator[LayerPlan]:
        sees = image
        for index in range(depth):
            stage, place = divmod(index, self.convolutions)
            ends = place == self.convolutions - 1 and index < depth - 1
            layer = LayerPlan(sees, width * self.growth**stage, self.kernel, self.pooling if ends else "none")
            yield layer
            sees = layer.puts_out(outputs)


@ARCHITECTURES.register
class ResidualCnn(_Convolutional):
    """A residual convolutional network in the manner of ResNets for CIFAR-10 (He et al. 2016a, 2016b).

    A first convolution, then `stages` stages of blocks of two convolutions with shortcuts as in `residual_mlp`.
    Between stages `pooling` halves the image and units grow `growth` times; there the stream is halved by 2 x 2 means
    and filled up with zeros, which needs no parameters (option A of He et al. 2016a, who take every second pixel). The
    output layer sees the mean over positions. `depth` is 1 + 2 x stages x the blocks of a stage.
    """

    reference = "He et al. 2016a, section 4.2, arXiv 1512.03385; He et al. 2016b, arXiv 1603.05027"

    name: Literal["residual_cnn"] = "residual_cnn"
    stages: Annotated[int, Field(ge=1, le=8)] = 3

    @property
    def mean_head(self) -> bool:
        return True

    def stages_of(self, depth: int) -> int:
        return self.stages

    def layers(self, image: Grid, depth: int, width: int, outputs: int) -> Iterator[LayerPlan]:
        sees, per_stage = image, (depth - 1) // self.stages
        for index in range(depth):
            stage, place = divmod(max(0, index - 1), per_stage)
            last = index > 0 and place == per_stage - 1 and index < depth - 1
            ends = index % 2 == 0
            layer = LayerPlan(
                sees,
                width * self.growth**stage,
                self.kernel,
                self.pooling if last else "none",
                taps=ends,
                adds=ends and index > 0,
            )
            yield layer
            sees = layer.puts_out(outputs)

    def problem(self, image: Grid, depth: int) -> str:
        whole = 2 * self.stages
        if depth <= 1 or (depth - 1) % whole:
            blocks = f"two convolutions for each block of {self.stages} equal stages"
            return f"depth {depth} must be 1 + a multiple of {whole}: {blocks}"
        return super().problem(image, depth)
