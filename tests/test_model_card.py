"""The model card of a run says what its record says, and the Hub's client reads its metadata."""

from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard
from run_folders import make_run, make_task

from pipelines.comparing.model_card import model_card
from rnn_lightning.files import add_sum, write_json

SCORES = {"test/loss": 2.0, "test/accuracy": 0.5}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The first of three seeds, beside a run of other settings and one that is not evaluated."""
    monkeypatch.chdir(tmp_path)
    make_task(tmp_path, "words")
    folders = [made(tmp_path, seed, {"test/loss": 1.0 + seed, "test/accuracy": 0.1 * seed}) for seed in (1, 2, 3)]
    made(tmp_path, 4, SCORES, config={"task": {"name": "words"}, "rnn": {"cell": "gru", "hidden_size": 8}, "seed": 4})
    made(tmp_path, 5, None)
    return folders[0]


def made(project: Path, seed: int, metrics: dict[str, float] | None, **changes: Any) -> Path:
    folder = make_run(project, "words", "gru", seed, metrics, **changes)
    write_json(folder / "predictor.json", {"predictor": "language", "files": [], "inputs": {"name": "text"}})
    add_sum(folder, "predictor.json")
    return folder


def test_metadata_are_those_of_the_record(run: Path) -> None:
    data = ModelCard(str(model_card(run, conf=Path("conf")))).data
    assert (data.library_name, data.pipeline_tag, data.license) == ("rnn-lightning", "text-generation", "cc0")
    assert data.metrics == ["accuracy", "loss"] and data.model_name == "words-gru-1"
    assert {each.metric_type: each.metric_value for each in data.eval_results} == {"accuracy": 0.1, "loss": 2.0}


def test_the_mean_is_of_the_seeds_of_the_same_settings(run: Path) -> None:
    card = str(model_card(run, conf=Path("conf")))
    assert "| metric of the test split | this model (seed 1) | mean of 3 seeds (95%) |" in card
    assert "| test/loss | 2.000 | 3.0 ± 2.5 |" in card  # Student's t of 2 degrees of freedom, 4.303, by 1 / sqrt(3)
    assert "Seeds of this configuration: 1, 2, 3." in card
    for part in ("SHA-256 of the processed data: `abab", "python -m pipelines.train task=words", "| guessing | 4.600 |"):
        assert part in card


def test_a_run_alone_says_so_and_data_that_are_not_here_are_left_out(run: Path, tmp_path: Path) -> None:
    alone = run.parent / "4"
    card = str(model_card(alone, conf=Path("conf"), data=tmp_path / "nowhere", place="tiny/words", licence="mit"))
    assert "One run says nothing of the spread over seeds." in card and "mean of" not in card
    assert "hub:tiny/words" in card and ModelCard(card).data.license == "mit" and "Licence of the data" not in card
    assert ModelCard(str(model_card(alone, conf=Path("conf"), data=tmp_path / "nowhere"))).data.license == "unknown"


def test_a_damaged_record_is_refused_and_without_one_there_is_no_card(run: Path) -> None:
    (run / "metrics.json").write_text('{"test/loss": 0.1}')
    with pytest.raises(ValueError, match=r"metrics\.json is damaged"):
        model_card(run)
    (run / "metrics.json").unlink()
    assert model_card(run) is None
