"""Where a stack is computed: one thread of the CPU or a CUDA device; deterministic on either.

On the CPU a run has the same bits whatever shares its stack. cuBLAS promises the same bits only for the same stack, so
that on CUDA a cell is reproducible on one kind of device, but a run alone may differ in its last digits.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import torch

# A run's matrices lie at other addresses in another stack, and without this MKL's products differ with these in their
# last bits where a width or the batch size is no multiple of 4. MKL reads it at its first use; it costs no time.
os.environ.setdefault("MKL_CBWR", "AUTO")


class DeviceError(Exception):
    """The device that was asked for is not there; the message says what is and how to go on."""


def find(name: str) -> torch.device:
    """The device `cpu` or `cuda`; raises DeviceError where torch cannot use it."""
    if name == "cuda" and not torch.cuda.is_available():
        built = (
            f"torch {torch.__version__} is built for CUDA {torch.version.cuda}"
            if torch.version.cuda
            else (f"torch {torch.__version__} is built without CUDA")
        )
        raise DeviceError(
            f"device: cuda was asked for, but no CUDA device can be used here ({built}). Check `nvidia-smi` and "
            "CUDA_VISIBLE_DEVICES on the machine that runs the job, ask the cluster for a GPU, or set `device: cpu`."
        )
    return torch.device(name)


def describe(device: torch.device) -> str:
    """The device's name for a record: `cpu`, or `cuda: ` and the model of the card."""
    return "cpu" if device.type == "cpu" else f"cuda: {torch.cuda.get_device_name(device)}"


def captured(program: Callable[[], None], device: torch.device) -> Callable[[], None]:
    """A program over tensors that stay where they are: on CUDA it is recorded once and replayed, elsewhere it runs.

    Small kernels take less time than to start them, and a replay starts all of them at once.
    """
    return _Graph(program) if device.type == "cuda" else program


class _Graph:
    """A program as a CUDA graph: first calls run it, since libraries set themselves up then, the next records it."""

    FIRST = 3

    def __init__(self, program: Callable[[], None]) -> None:
        self.program, self.calls = program, 0
        self.graph: torch.cuda.CUDAGraph | None = None

    def __call__(self) -> None:
        self.calls += 1
        if self.calls <= self.FIRST:
            beside = torch.cuda.Stream()  # what is recorded later may not have run on the default stream
            beside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(beside):
                self.program()
            torch.cuda.current_stream().wait_stream(beside)
            return
        if self.graph is None:
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):
                self.program()
        self.graph.replay()


@contextmanager
def reproducible(device: torch.device) -> Iterator[None]:
    """Compute without autograd and with the same bits every time.

    One thread, since the number of threads changes the bits; no denormals, which cost time only. On CUDA only
    deterministic kernels, and products in full float32.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    try:
        with torch.inference_mode(), _deterministic() if device.type == "cuda" else nullcontext():
            yield
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(threads)


@contextmanager
def _deterministic() -> Iterator[None]:
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS reads it when it starts
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.use_deterministic_algorithms(True)  # imports torch's compiler, for seconds: not on the CPU, which needs none
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)
