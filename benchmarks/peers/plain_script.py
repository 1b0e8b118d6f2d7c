"""A training script as tutorials show it: Dataset, DataLoader, nn.Sequential, torch.optim.

python plain_script.py ARRAYS SETTINGS SEED LEARNING_RATE prints the test accuracy and the seconds of each epoch.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset


class Examples(Dataset[tuple[Tensor, Tensor]]):
    """One example at a time, as DataLoader asks for them."""

    def __init__(self, x: Any, y: Any) -> None:
        self.x, self.y = torch.from_numpy(x), torch.from_numpy(y)

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.x[index], self.y[index]


def sequential(features: int, classes: int, width: int, depth: int, batchnorm: bool) -> nn.Sequential:
    """Linear, [BatchNorm,] ReLU, `depth` times, and a last Linear; kaiming_normal weights, zero biases."""
    layers: list[nn.Module] = []
    for fan_in in [features] + [width] * (depth - 1):
        layers += [nn.Linear(fan_in, width), *([nn.BatchNorm1d(width)] if batchnorm else []), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Linear(width, classes))
    for layer in model:
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
            nn.init.zeros_(layer.bias)
    return model


def main(path: str, settings: dict[str, Any], seed: int, rate: float) -> None:
    """Train one network and print its results as JSON."""
    torch.manual_seed(seed)
    arrays = np.load(path)
    train, test = (Examples(arrays[f"{split}_x"], arrays[f"{split}_y"]) for split in ("train", "test"))
    loader = DataLoader(train, batch_size=settings["batch_size"], shuffle=True, drop_last=True)
    features, classes = train.x.shape[1], int(train.y.max()) + 1
    model = sequential(features, classes, settings["width"], settings["depth"], settings["batchnorm"])
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=settings["momentum"])
    criterion = nn.CrossEntropyLoss()
    epochs = []
    for _ in range(settings["epochs"]):
        clock = time.perf_counter()
        for x, y in loader:
            optimizer.zero_grad()
            criterion(model(x), y).backward()
            optimizer.step()
        epochs.append(time.perf_counter() - clock)
    model.eval()
    with torch.no_grad():
        right = sum((model(x).argmax(1) == y).sum().item() for x, y in DataLoader(test, batch_size=1000))
    print(json.dumps({"accuracy": right / len(test), "epochs": epochs}))


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
