"""Augmentations: random changes of training images that leave their class alone.

An augmentation says which pixel comes where and touches no pixel, so that it can be drawn once for a seed and serve
every cell, whatever the images look like after preprocessing and wherever they are kept.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from trainability.registry import Component, Registry

Indices = NDArray[np.int64]


class Augmentation(Component):
    """What happens to training images anew every time they are seen."""

    identity: ClassVar[bool] = False  # whether nothing happens

    def impossible(self, image_shape: tuple[int, ...]) -> str:
        """Why such examples cannot be augmented in this way; nothing if they can."""
        return ""

    def choices(self, rng: np.random.Generator, examples: int) -> Indices:
        """What is drawn for each example, [examples, m]: small, so that it can be drawn for a whole epoch at once."""
        raise NotImplementedError

    def indices(self, choices: Indices, image_shape: tuple[int, ...]) -> Indices:
        """Where every value of the augmented images comes from, [examples, features], 8 bytes each.

        Index j < features is entry j of the flat image, index `features` is padding: with a zero appended to the
        flat example x, the augmented one is x[index]. After centring, zero is the mean.
        """
        raise NotImplementedError

    def draw(self, rng: np.random.Generator, examples: int, image_shape: tuple[int, ...]) -> Indices:
        """The indices of freshly drawn choices, [examples, features]; a function of the generator and the shape."""
        return self.indices(self.choices(rng, examples), image_shape)


AUGMENTATIONS: Registry[Augmentation] = Registry("augmentation")


@AUGMENTATIONS.register
class NoAugmentation(Augmentation):
    """Every image as it is; nothing is drawn."""

    formula: ClassVar[str] = r"x_j \mapsto x_j"
    reference: ClassVar[str] = "none: the baseline"

    identity: ClassVar[bool] = True

    name: Literal["none"] = "none"

    def choices(self, rng: np.random.Generator, examples: int) -> Indices:
        return np.zeros((examples, 0), np.int64)

    def indices(self, choices: Indices, image_shape: tuple[int, ...]) -> Indices:
        return np.tile(np.arange(np.prod(image_shape), dtype=np.int64), (len(choices), 1))


@AUGMENTATIONS.register
class CropFlip(Augmentation):
    """A window of the image's own size out of the image with `padding` zeros on all sides, mirrored or not.

    Vertical and horizontal place of the window are uniform over 0 ... 2 `padding`; with `flip` the window is mirrored
    left to right with probability 1/2 (Lee et al. 2015, "Deeply-supervised nets"; He et al. 2016, section 4.2).
    """

    formula: ClassVar[str] = r"x_{r,c} \mapsto x_{r + u - p,\ c' + v - p},\quad c' \in \{c,\ W - 1 - c\}"
    reference: ClassVar[str] = "He et al. 2016, Deep residual learning, section 4.2"

    name: Literal["crop_flip"] = "crop_flip"
    padding: Annotated[int, Field(ge=0)] = 4
    flip: bool = True

    def impossible(self, image_shape: tuple[int, ...]) -> str:
        if len(image_shape) not in (2, 3):
            return f"{self.label} moves pixels of images, and these examples are none (shape {image_shape})"
        if self.padding >= min(image_shape[:2]):
            size = " x ".join(map(str, image_shape[:2]))
            return f"{self.label} could move an image of {size} pixels out of sight"
        return ""

    def choices(self, rng: np.random.Generator, examples: int) -> Indices:
        """Vertical place, horizontal place, mirrored (0 or 1): [examples, 3]."""
        places = rng.integers(0, 2 * self.padding + 1, (examples, 2))
        mirrored = rng.integers(0, 1 + self.flip, (examples, 1))
        return np.hstack([places, mirrored])

    def indices(self, choices: Indices, image_shape: tuple[int, ...]) -> Indices:
        height, width, channels = (*image_shape, 1)[:3]
        features = height * width * channels
        down, right, mirrored = (choice[:, None] for choice in choices.T)
        columns = np.arange(width)
        columns = np.where(mirrored, width - 1 - columns, columns) + right - self.padding
        rows = np.arange(height) + down - self.padding
        # Rows and columns outside add `features`, so that what is beyond the last entry is padding.
        of_rows = np.where((rows >= 0) & (rows < height), rows * width * channels, features)
        of_columns = np.where((columns >= 0) & (columns < width), columns * channels, features)
        of_values = (of_columns[:, :, None] + np.arange(channels)).reshape(len(choices), 1, -1)
        index = of_rows[:, :, None] + of_values
        return np.minimum(index, features, out=index).reshape(len(choices), features)
