"""Kernels compile for a GPU, and what is compiled has 64-bit places, barriers and no atomics; no GPU runs it here."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton", reason="Triton is not installed: pip install 'rnn-lightning[triton]'")

BARRIERS = {
    **dict.fromkeys(("lstm", "gru", "peephole_lstm"), (1, 2)),
    **{"slstm": (1, 4), "layernorm_lstm": (3, 4), "mingru": (0, 0), "lru": (0, 0)},
}
"""Forward and backward, one after each pass over the units of a step, and one before a memory's gradient takes the place of one
that is read."""
OFTEN = ("gru",)


@pytest.mark.parametrize("cell", [cell if cell in OFTEN else pytest.param(cell, marks=pytest.mark.slow) for cell in BARRIERS])
def test_a_kernel_compiles_for_a_gpu(cell: str, tmp_path: Path) -> None:
    script = Path(__file__).with_name("compiled_kernels.py")
    variables = os.environ | {"TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, script, cell], env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    kernels = [json.loads(line) for line in done.stdout.splitlines()]
    for found, barriers in zip(kernels, BARRIERS[cell], strict=True):
        assert found["binary"] > 0 and found["places"] > 0
        assert found["narrow"] == 0 and found["products"] == 0, found
        assert found["atomics"] == 0, found
        assert found["shared"] <= 48 * 1024, found  # what every GPU gives a program
        assert found["barriers"] >= barriers, found
