"""A run of a transducer: its test may search by a beam that the training did not name, and it answers by that."""

from pathlib import Path

import pytest
from run_folders import run_by_stages

from pipelines.evaluate import evaluate
from pipelines.settings.compose import compose
from rnn_lightning import load_predictor
from rnn_lightning.files import read_json

TINY = ["task=strokes_transducer", "rnn=gru", "task.corpus.rows={train: 20, validation: 10, test: 6}"]
TINY += ["task.training.epochs=1", "task.data.batch_size=5"]
TINY += ["task.training.validate_every=2", "task.parameters=null", "task.rnn.hidden_size=4"]


def test_the_search_of_a_test_may_be_set_for_the_evaluation(tmp_path: Path) -> None:
    with run_by_stages(tmp_path, TINY) as run:
        searched = compose([*TINY, "seed=1", "task.metric.search={beam_size: 3, per_step: 2}"])
        evaluate(searched)
        found = tmp_path / searched.run(1)
        assert found != run and "test/cer_beam" in read_json(found / "metrics.json")
        predictor = load_predictor(found)
        assert (predictor.beam_size, predictor.per_step) == (3, 2)  # pyright: ignore[reportAttributeAccessIssue]
        refused = compose([*TINY, "seed=1", "task.metric.search={beam_size: 0}"])
        with pytest.raises(ValueError, match="beam_size"):
            evaluate(refused)
        assert not refused.run(1).parent.exists()
