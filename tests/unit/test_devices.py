"""Devices: what can be tested without a CUDA device."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from trainability import devices
from trainability.prepared import Arrays
from trainability.training import train

without_cuda = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")


@without_cuda
def test_missing_cuda_is_named_with_what_to_do(make_cell: Any, arrays: Arrays) -> None:
    with pytest.raises(devices.DeviceError, match=r"device: cuda was asked for.*set `device: cpu`"):
        train(make_cell(), arrays, 4, device="cuda")


def test_settings_are_put_back() -> None:
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with devices.reproducible(torch.device("cpu")):
        assert torch.get_num_threads() == 1
        assert torch.is_inference_mode_enabled()
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before


@pytest.mark.parametrize(
    ("rows", "inputs", "units"), [(15, 24, 10), (7, 22, 9), (31, 38, 6), (33, 28, 5), (32, 64, 63)]
)
def test_products_do_not_depend_on_where_a_run_lies(rows: int, inputs: int, units: int) -> None:
    draws = torch.Generator().manual_seed(0)
    x, w = torch.randn(40, rows, inputs, generator=draws), torch.randn(40, inputs, units, generator=draws)
    whole = torch.bmm(x, w)
    for low, high in ((0, 2), (1, 4), (3, 40), (7, 23), (39, 40)):
        assert torch.equal(torch.bmm(x[low:high].clone(), w[low:high].clone()), whole[low:high])


def test_every_tensor_of_a_stack_is_made_on_its_device(make_cell: Any, arrays: Arrays) -> None:
    """The meta device holds no numbers and refuses every operation that mixes it with another one."""
    from trainability.network import Network

    cell = make_cell(normalization="batchnorm", dropout=0.1, activation="prelu")
    network = Network(cell, 5, 4, device="meta")
    buffers = [torch.zeros_like(parameter) for parameter in network.parameters]
    assert {tensor.device.type for tensor in [*network.parameters, *buffers, network.of_seed]} == {"meta"}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_cuda_learns_what_the_cpu_learns(make_cell: Any, arrays: Arrays) -> None:
    cell = make_cell(normalization="batchnorm", epochs=4)
    cpu, cuda, again = (train(cell, arrays, 4, device=name) for name in ("cpu", "cuda", "cuda"))
    assert torch.equal(cuda.test_loss, again.test_loss)
    torch.testing.assert_close(cpu.test_loss, cuda.test_loss, rtol=1e-2, atol=1e-3)
