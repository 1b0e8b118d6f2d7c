"""What our trainer is compared with: a module each, by name. Nothing heavy is imported before a peer is loaded."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import ModuleType

from benchmarks.workloads import BATCHNORM, CONVOLUTIONS
from trainability.workers import ENVIRONMENT

EXTRA = "pip install -e '.[bench]'"


class MissingError(Exception):
    """A peer needs something that is not installed; the message says how to get it."""


@dataclass(frozen=True)
class Peer:
    """An entry: `loop` trains run after run, so that some of the runs are enough to know the time of all."""

    name: str
    title: str
    loop: bool = False
    needs: str = ""  # a package of the extra `bench`
    lacks: frozenset[str] = frozenset()  # of what a workload `needs`
    learns: bool = True  # False: there is no `train`, only `steady`
    environment: Mapping[str, str] = field(default_factory=dict)  # besides one thread

    def module(self) -> ModuleType:
        """The peer's module; raises MissingError if its package is not installed."""
        if self.needs and importlib.util.find_spec(self.needs) is None:
            raise MissingError(f"the peer {self.name} needs the package {self.needs}: {EXTRA}")
        return importlib.import_module(f"benchmarks.peers.{self.name.replace('-', '_')}")


ONLY_PLAIN = frozenset({BATCHNORM, CONVOLUTIONS})
OURS, LIMIT = "ours", "matmuls"
PEERS = {
    peer.name: peer
    for peer in (
        Peer("script", "Dataset, DataLoader, nn.Sequential; a process per run", loop=True),
        Peer("lightning", "PyTorch Lightning, run after run", loop=True, needs="lightning"),
        Peer("script-in-memory", "the script with tensors in memory, run after run", loop=True),
        Peer("sklearn", "scikit-learn's MLPClassifier, run after run", loop=True, lacks=ONLY_PLAIN),
        Peer("vmap", "torch.func: vmap over the ensemble"),
        Peer("jax", "JAX: jit of vmap of scan; of CNNs a map, not vmap", needs="jax"),
        Peer(OURS, "**ours**, all measurements and files included", environment=ENVIRONMENT),
        Peer("ours-compiled", "our step through torch.compile", environment=ENVIRONMENT),
        Peer(LIMIT, "the matrix products or convolutions alone", learns=False, environment=ENVIRONMENT),
    )
}
