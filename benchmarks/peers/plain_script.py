"""A training script as tutorials show it: Dataset, DataLoader, nn.Sequential, torch.optim.

python plain_script.py ARRAYS SETTINGS SEED LEARNING_RATE prints the test accuracy and the seconds of each epoch.
"""

from __future__ import annotations

import json
import sys
import time
from types import SimpleNamespace
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


def sequential(network: Any) -> nn.Sequential:
    """Linear or Conv2d, [BatchNorm,] ReLU, [MaxPool2d], and a last Linear; kaiming_normal weights, zero biases.

    `network` has the attributes of benchmarks.networks.Network.
    """
    size = network.layers[0].size
    modules: list[nn.Module] = [nn.Unflatten(1, (1, size, size))] if size > 1 else []
    for layer in network.layers:
        if layer.kernel > 1:
            modules.append(nn.Conv2d(layer.inputs, layer.units, layer.kernel, padding="same"))
        else:
            modules.append(nn.Linear(layer.inputs, layer.units))
        modules += [nn.BatchNorm1d(layer.units)] if network.batchnorm else []
        modules += [nn.ReLU(), *([nn.MaxPool2d(2)] if layer.pooled else [])]
    modules += [nn.Flatten()] if size > 1 else []
    model = nn.Sequential(*modules, nn.Linear(network.head, network.classes))
    for module in model:
        if isinstance(module, (nn.Linear, nn.Conv2d)):
            nn.init.kaiming_normal_(module.weight)
            nn.init.zeros_(module.bias)
    return model


def main(path: str, settings: Any, seed: int, rate: float) -> None:
    """Train one network and print its results as JSON."""
    torch.manual_seed(seed)
    arrays = np.load(path, allow_pickle=False)
    train, test = (Examples(arrays[f"{split}_x"], arrays[f"{split}_y"]) for split in ("train", "test"))
    loader = DataLoader(train, batch_size=settings.batch_size, shuffle=True, drop_last=True)
    model = sequential(settings.network)
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=settings.momentum)
    criterion = nn.CrossEntropyLoss()
    epochs = []
    for _ in range(settings.epochs):
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
    told = json.loads(sys.argv[2], object_hook=lambda found: SimpleNamespace(**found))
    main(sys.argv[1], told, int(sys.argv[3]), float(sys.argv[4]))
