"""The README's code runs as it stands there, and its fit() trains."""

import re
from pathlib import Path
from typing import Any

import pytest
from corpora import write_stream

ROOT = Path(__file__).resolve().parent.parent
BLOCKS = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)


def test_the_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(BLOCKS) >= 3
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for block in BLOCKS:
        exec(compile(block, "README.md", "exec"), names)
    assert names["outputs"].shape == (3, 50, 256)
    assert set(names["sizes"]) == {"elman", "gru", "lstm"}
    write_stream(tmp_path / "data", tokens=2200)
    names["fit"]("data")
    assert (tmp_path / "work/mine/last.ckpt").exists()
    again = type(names["model"]).load_from_checkpoint("work/mine/best.ckpt", weights_only=True)
    assert again.vocab_size == 33_278
