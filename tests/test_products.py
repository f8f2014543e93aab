"""The precision of matrix products: left to the machine, it is medium only where that rounds nothing."""

from pathlib import Path

import pytest
import torch

from pipelines.settings.compose import compose
from pipelines.training import products
from pipelines.training.products import measure_medium, products_of
from pipelines.training.run import train_one
from rnn_lightning.files import read_json


def test_a_check_measures_the_error_of_this_processor_and_leaves_its_setting() -> None:
    before = torch.get_float32_matmul_precision()
    error, gain = measure_medium()
    assert torch.get_float32_matmul_precision() == before
    assert 1e-8 < error < 1e-2 and gain > 0


@pytest.mark.parametrize(("error", "rows", "precision"), [(4e-7, 20, "medium"), (2e-3, 20, "highest"), (4e-7, 4, "highest")])
def test_medium_is_taken_where_it_does_not_round_and_rows_are_many(
    error: float, rows: int, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(products, "measure_medium", lambda: (error, 1.4))
    told = products_of(compose(["task=dates", "trainer=cpu_auto", f"task.data.batch_size={rows}"]))
    assert told.precision == precision
    assert ("rows" if rows == 4 else f"{error:.1e}") in told.reason


def test_what_is_set_stays_and_every_task_sets_the_highest_for_itself() -> None:
    assert products_of(compose(["task=dates"])) == ("highest", "as set")
    assert products_of(compose(["task=dates", "trainer=cpu_medium"])) == ("medium", "as set")


def test_the_record_of_a_training_says_which_and_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setattr(products, "measure_medium", lambda: (4e-7, 1.4))
    small = ["task.parameters=null", "+task.rnn.hidden_size=4", "task.training.validate_every=null", "task.training.epochs=1"]
    rows = "task.corpus.rows={train: 60, validation: 10, test: 10}"
    experiment = compose(["task=adding", "rnn=lstm", "seed=1", "trainer=cpu_auto", rows, *small])
    corpus = experiment.task.corpus.build()
    corpus.fetch(experiment.raw())
    corpus.preprocess(experiment.raw(), experiment.processed())
    from pipelines.runs.cards import note_corpus

    note_corpus(experiment)
    before = torch.get_float32_matmul_precision()
    train_one(experiment, 1)
    torch.set_float32_matmul_precision(before)
    facts = read_json(experiment.trained(1) / "training.json")
    assert facts["matrix_products"]["precision"] == "medium" and "4.0e-07" in facts["matrix_products"]["reason"]
    assert facts["precision"] == "32-true, auto matrix products"
