"""The tests' Slurm, and a project that has trained on this machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import slurm
import yaml
from project import ROOT, Project


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[slurm.Slurm]:
    """A Slurm of two nodes; without one the test is skipped."""
    if why := slurm.missing():
        pytest.skip(why)
    cluster = slurm.Slurm(tmp_path_factory.mktemp("slurm"))
    try:
        try:
            cluster.start()
        except slurm.ClusterError as error:  # a container may forbid what its daemons need
            pytest.skip(f"Slurm does not start on this machine: {error}")
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose configuration `few` has three cells, trained on this machine."""
    project = Project(tmp_path_factory.mktemp("local"))
    values = yaml.safe_load((ROOT / "experiments/smoke.yaml").read_text())
    default = yaml.safe_load((ROOT / "config.yaml").read_text())
    few = {"question": "Does it run there?", "grid": {"activation": ["tanh", "relu", "elu"]}}
    values["studies"] = dict.fromkeys(default["studies"]) | {"few": few}
    values["analyses"] = dict.fromkeys(default["analyses"])
    (project.code / "experiments/few.yaml").write_text(yaml.safe_dump(values))
    project.snakemake("--cores", 2, "--until", "train", config="few")
    return project
