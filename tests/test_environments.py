"""The environment of a training: a record of each that it was in, and a warning where it goes on in another."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from faults import attempt

from pipelines.runs.provenance import note_environment, versions

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = ["task=adding", "rnn=gru", "seed=1", "name=small", "task.corpus.rows={train:20,validation:10,test:10}"]
SETTINGS += ["task.corpus.steps=4", "task.parameters=200", "trainer.checkpoint_seconds=0"]
SETTINGS += ["task.training={epochs:2,clip:1.0,validate_every:3}", "task.data.batch_size=5"]


def test_a_training_that_goes_on_elsewhere_warns_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here = versions()
    assert set(here) == {"python", "torch", "lightning", "numpy", "blas", "cpu_capability", "cpu_features", "variables"}
    assert note_environment(tmp_path, here) == note_environment(tmp_path, here) == [here]
    assert capsys.readouterr().err == ""
    other = here | {"cpu_capability": "OTHER"}
    assert note_environment(tmp_path, other) == [here, other]
    warned = capsys.readouterr().err
    assert warned.count("\n") == 1 and f"cpu_capability was {here['cpu_capability']!r}, is 'OTHER'" in warned


@pytest.mark.slow
def test_a_killed_training_that_goes_on_with_other_instructions_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a processor that has fewer of them: PyTorch and oneDNN are told by variables to take no others."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    project, train = tmp_path / "project", ["pipelines.train", *SETTINGS]
    project.mkdir()
    for stage in ("fetch", "preprocess"):
        assert attempt([f"pipelines.{stage}", *SETTINGS], project).code == 0
    points = attempt(train, project).points
    shutil.rmtree(project / "trained")
    shutil.rmtree(project / "work")
    last = max(number for number, point in enumerate(points) if point.startswith("rename") and point.endswith("last.ckpt"))
    assert attempt(train, project, last, killed=True).code == -signal.SIGKILL
    others = {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "AVX2"}
    environment = os.environ | others | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}"}
    command = [sys.executable, "-m", *train]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=True)
    (said,) = [line for line in done.stderr.splitlines() if line.startswith("warning:")]
    here = versions()["cpu_capability"]
    assert "goes on in another environment" in said and f"cpu_capability was {here!r}, is 'DEFAULT'" in said
    assert "variables was '', is 'ONEDNN_MAX_CPU_ISA=AVX2'" in said
    training = json.loads((project / "trained/adding/gru-small/1/training.json").read_text())
    assert [one["cpu_capability"] for one in training["environments"]] == [here, "DEFAULT"]
    assert training["versions"] == training["environments"][1] and training["versions"]["processor"] in training["hardware"]
