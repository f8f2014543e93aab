"""An exported run of each kind answers raw items as its predictor does, in a process that cannot import PyTorch."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from run_folders import own_place
from stored_kinds import KINDS, store_kind

from rnn_lightning import load_predictor
from rnn_lightning.export import export_run

ROOT = Path(__file__).parents[1]
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "translation": [{"beam_size": 1}, {"beam_size": 4, "n_best": 3}],
    "language": [{"temperature": 0, "length": 6}, {"score": True}],
    "symbols": [{"temperature": 0, "length": 6}],
    "recognition": [{}, {"beam_size": 6, "n_best": 3}],
}
"""By kind, the options that it is asked with."""
ANSWER = """
import json, sys
class Without:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "lightning", "onnx", "onnxscript"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Without())
from rnn_lightning.runtime import load
items, options = json.load(sys.stdin)
print(json.dumps(load(sys.argv[1], **options)(items)))
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    where = tmp_path_factory.mktemp("place")
    with own_place(where):
        yield where


def answers_of(folder: Path, items: list[Any], options: dict[str, Any]) -> list[Any]:
    """What a process without PyTorch answers by the exported ``folder``."""
    paths = {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-c", ANSWER, str(folder)]
    given = json.dumps([items, options])
    done = subprocess.run(command, input=given, env=os.environ | paths, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def same(one: Any, other: Any) -> bool:
    """Whether two answers are the same: text to the sign, numbers but for rounding."""
    if isinstance(one, dict) and isinstance(other, dict):
        parts = {**one, **({"text": ""} if "value" in one else {})}, {**other, **({"text": ""} if "value" in other else {})}
        return one.keys() == other.keys() and all(same(parts[0][key], parts[1][key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return bool(np.isclose(one, other, rtol=1e-4, atol=1e-4))
    return one == other


@pytest.mark.parametrize("kind", KINDS)
def test_an_exported_run_answers_as_its_predictor(kind: str, place: Path) -> None:
    run = store_kind(place, kind)
    export_run(run.folder, place / "exports" / kind)
    for options in OPTIONS.get(kind, [{}]):
        expected = load_predictor(run.folder, **options)(run.items)
        found = answers_of(place / "exports" / kind, run.items, options)
        equal = [same(one, other) for one, other in zip(found, expected, strict=True)]
        assert all(equal), (options, equal.index(False), found[equal.index(False)], expected[equal.index(False)])
