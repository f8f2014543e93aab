"""The library stands without the pipelines' tools, and its import costs little."""

import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ABSENT = (
    "hydra",
    "omegaconf",
    "mlflow",
    "optuna",
    "dvc",
    "pydantic",
    "datasets",
    "tokenizers",
    "pandas",
    "matplotlib",
    "scipy",
)

IMPORT_ALL = """
import importlib, pkgutil, sys
import rnn_lightning
for module in pkgutil.walk_packages(rnn_lightning.__path__, "rnn_lightning."):
    importlib.import_module(module.name)
for name in rnn_lightning.__all__:
    getattr(rnn_lightning, name)
"""
TRAIN = """
import torch
from rnn_lightning.recurrent import CELLS, recurrent
for cell in CELLS:
    network = recurrent(cell, 2, 3)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    inputs = torch.randn(4, 5, 2)
    losses = []
    for _ in range(2):
        optimizer.zero_grad()
        outputs, _ = network(inputs, torch.tensor([5, 3, 1, 2]))
        outputs.square().sum().backward()
        losses.append(outputs.square().sum().item())
        optimizer.step()
    assert losses[1] < losses[0], (cell, losses)
"""
BLOCK = f"""
import importlib.abc, sys
class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {ABSENT}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
"""
"""Tools that may be probed for are as if they were not installed."""


def run(code: str, python: str = sys.executable, cwd: Path = ROOT) -> str:
    """What a fresh interpreter prints for ``code``; it must end well."""
    done = subprocess.run([python, "-c", code], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_library_works_where_the_tools_of_the_pipelines_are_absent() -> None:
    run(BLOCK + IMPORT_ALL + TRAIN)


@pytest.mark.slow
def test_the_core_installs_alone(tmp_path: Path) -> None:
    source = tmp_path / "source"  # built from a copy, since a build leaves its work beside the sources
    shutil.copytree(ROOT / "src", source / "src", ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"))
    for name in ("pyproject.toml", "constraints.txt", "README.md"):
        shutil.copy(ROOT / name, source)
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "-q", "-c", "constraints.txt", "."], cwd=source, check=True)
    run(IMPORT_ALL + TRAIN, python, tmp_path)
    probe = "import importlib.util; print([name for name in {} if importlib.util.find_spec(name)])"
    tools = ("hydra", "mlflow", "optuna", "dvc", "datasets")
    assert run(probe.format(tools), python, tmp_path).strip() == "[]"


@pytest.mark.slow
def test_importing_the_library_costs_little_more_than_importing_lightning() -> None:
    def seconds(module: str) -> float:
        return float(run(f"import time; before = time.process_time(); import {module}; print(time.process_time() - before)"))

    seconds("lightning"), seconds("rnn_lightning")  # the first read of the files is not measured
    ratios = [seconds("rnn_lightning") / seconds("lightning") for _ in range(7)]
    assert statistics.median(ratios) <= 1.05, ratios
