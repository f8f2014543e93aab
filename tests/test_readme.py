"""The README's code runs as it stands there, its fit() trains, and the floors that it names are those of the data."""

import re
from pathlib import Path
from typing import Any

import pytest
from corpora import made, write_stream

from pipelines.settings.compose import compose
from rnn_lightning.files import read_json

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


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


@pytest.mark.parametrize(
    ("task", "reference", "sentence"),
    [
        ("nested", "perplexity_floor", "The floor, the exponential of the language's entropy rate, is {:.3f}."),
        ("foresight", "left_to_right_accuracy", "the best reader from left to right gets {:.3f} of the words right."),
    ],
)
def test_what_can_be_reached_is_what_the_data_say(task: str, reference: str, sentence: str, tmp_path: Path) -> None:
    corpus = compose([f"task={task}", "task.corpus.rows={train:20,validation:2,test:2}"]).task.corpus.build()
    card = read_json(made(corpus, tmp_path) / "processed/card.json")
    assert sentence.format(card["references"][reference]) in README
