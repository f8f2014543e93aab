"""The script for a GPU runs on the CPU, small, with the core of the library alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import kernels

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.slow
def test_the_script_for_a_gpu_runs_and_needs_no_pipeline(tmp_path: Path) -> None:
    refuse = "import sys; sys.modules.update(dict.fromkeys(['pipelines', 'mlflow', 'datasets', 'optuna', 'hydra', 'dvc']));"
    run = f"from benchmarks import gpu; sys.argv[1:] = ['--short', '--into', {str(tmp_path / 'gpu.json')!r}]; gpu.main()"
    variables = {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "CUDA_VISIBLE_DEVICES": "", "TRITON_INTERPRET": "1"}
    subprocess.run([sys.executable, "-c", refuse + run], env=os.environ | variables, cwd=tmp_path, check=True)
    found = json.loads((tmp_path / "gpu.json").read_text())
    assert max(row["worst"] for row in found["laws"]) < 1e-10
    assert {row["system"] for row in found["training_steps"]} == {
        *("language model", "tagger", "frame classifier", "sequence classifier", "recogniser", "translation")
    }
    assert all(row["ratio"] > 0 for row in found["rows"]) and len(found["rows"]) == 10
    assert all(row["tokens_per_second"] > 0 for row in found["word_model"])
    assert len(found["kernels"]) == 7 and all(row["gap"] < 1e-4 and row["loop_milliseconds"] > 0 for row in found["kernels"])


def test_kernels_stand_beside_the_other_forms(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("triton", reason="Triton is not installed: pip install 'rnn-lightning[triton]'")
    row = kernels.compare("gru", (2, 2, 4), "float32", rounds=1)
    assert row["gap"] < 1e-5 and row["triton_recompute_kept_bytes"] < row["triton_kept_bytes"]
    assert all(row[f"{form}_milliseconds"] > 0 for form in ("default", "loop", "triton", "triton_recompute"))
    monkeypatch.setattr("rnn_lightning.kernels.tiles.interpreted", lambda: False)
    assert kernels.measure(short=True)[0]["not_measured"].startswith("backend='triton' is for tensors on a GPU")
