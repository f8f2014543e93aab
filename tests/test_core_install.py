"""The library stands without the pipelines' tools, and its import costs little."""

import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import pytest
from house import tracked

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
    "triton",
)

IMPORT_ALL = """
import importlib, pkgutil, sys
import rnn_lightning
for module in pkgutil.walk_packages(rnn_lightning.__path__, "rnn_lightning."):
    if not module.name.startswith("rnn_lightning.kernels."):  # imported by whoever asks for them
        importlib.import_module(module.name)
for name in rnn_lightning.__all__:
    getattr(rnn_lightning, name)
"""
TRAIN = """
import torch
from rnn_lightning import CELLS, Batch, LanguageModel
for cell in CELLS:
    torch.manual_seed(1)
    # A step down the gradient lowers the loss if it is short: layer norms of five units bend the loss sharply.
    model = LanguageModel(7, {"cell": cell, "hidden_size": 5}, optimizer={"name": "sgd", "lr": 1e-4})
    optimizer = model.configure_optimizers()
    tokens = torch.randint(7, (4, 6))
    losses = []
    for _ in range(2):
        model.states.clear()
        losses.append(model.training_step(Batch(tokens[:, :-1], torch.tensor([5, 3, 1, 2]), tokens[:, 1:]), 0))
        losses[-1].backward()
        optimizer.step()
    assert losses[1] < losses[0], (cell, losses)
"""
HIDE = f"""
import sys
class Without:
    def __init__(self, finder):
        self.finder = finder
    def find_spec(self, name, path=None, target=None):
        return None if name.split(".")[0] in {ABSENT} else self.finder.find_spec(name, path, target)
    def find_distributions(self, context):
        found = self.finder.find_distributions(context) if hasattr(self.finder, "find_distributions") else ()
        return (each for each in found if each.name.lower().split("-")[0] not in {ABSENT})
sys.meta_path = [Without(finder) for finder in sys.meta_path]
"""
"""Lets neither an import nor a look at what is installed find the tools."""


def run(code: str, python: str = sys.executable, cwd: Path = ROOT) -> str:
    """What a fresh interpreter prints for ``code``; it must end well."""
    done = subprocess.run([python, "-c", code], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_library_works_where_the_tools_of_the_pipelines_are_absent() -> None:
    run(HIDE + IMPORT_ALL + TRAIN)


@pytest.mark.slow
def test_the_core_installs_alone(tmp_path: Path) -> None:
    source = tmp_path / "source"  # built from a copy, since a build leaves its work beside the sources
    for path in tracked():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, source / path)
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

    for module in ("lightning", "rnn_lightning"):  # the first read of the files is not measured
        seconds(module)
    ratios = [seconds("rnn_lightning") / seconds("lightning") for _ in range(7)]
    assert statistics.median(ratios) <= 1.05, ratios
