"""A stand-in for a CUDA graph: it holds a program's kernels with their arguments, and calls them again."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode


class Recording(TorchDispatchMode):
    """What a CUDA graph holds: every kernel, with the tensors and the numbers that it was called with."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, Any, Any, Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self.calls.append((func, args, kwargs or {}, result))
        return result

    def replay(self) -> None:
        for func, args, kwargs, result in self.calls:
            again = func(*args, **kwargs)
            for old, new in zip(_tensors(result), _tensors(again), strict=True):
                if old is not new:
                    old.copy_(new)


def _tensors(result: Any) -> list[Tensor]:
    return [result] if isinstance(result, Tensor) else [item for item in result if isinstance(item, Tensor)]
