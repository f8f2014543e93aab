"""A stage reads the corpus that its settings name, whatever else lies under the task's name."""

from pathlib import Path

import pytest

from pipelines.fetch import fetch
from pipelines.preprocess import preprocess
from pipelines.runs.cards import NOTE, card_of
from pipelines.settings.compose import compose
from pipelines.training.run import train_one

SMALL = ["task=adding", "seed=1", "task.corpus.rows={train:20,validation:5,test:5}", "task.corpus.steps=6"]


@pytest.fixture
def processed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A corpus of the settings of ``SMALL``."""
    monkeypatch.chdir(tmp_path)
    experiment = compose(SMALL)
    fetch(experiment)
    preprocess(experiment)
    return experiment.processed()


def test_a_corpus_of_the_settings_asked_for_is_read(processed: Path) -> None:
    card = card_of(compose([*SMALL, "rnn=gru", "task.training.epochs=7"]))
    assert card["splits"]["train"]["rows"] == 20
    assert "CC0" in card["licence"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (SMALL[:2], r"task.corpus.rows.test was 5, is \d+; task.corpus.rows.train was 20, is \d+; .*steps was 6, is \d+"),
        ([*SMALL, "task.corpus.seed=9"], r"\(task.corpus.seed was 1, is 9\): `python -m pipelines.fetch` and `preprocess`"),
        (
            [*SMALL[:-1], "~task.corpus.steps", "task.corpus={_target_:rnn_lightning.corpora.Copying,symbols:6,seed:1}"],
            r"_target_ was '\S+Adding', is ",
        ),
    ],
)
def test_a_corpus_of_other_settings_is_refused(processed: Path, settings: list[str], said: str) -> None:
    with pytest.raises(ValueError, match=rf"data/processed/adding was made with other settings .*{said}") as refusal:
        train_one(compose(settings), 1)
    assert "\n" not in str(refusal.value)
    assert not [
        folder for folder in Path("work").glob("*") if folder.name not in ("locks", "preprocessed")
    ]  # no training has begun


def test_a_folder_without_a_word_on_its_settings_is_refused(processed: Path) -> None:
    (processed / NOTE).unlink()
    with pytest.raises(ValueError, match=r"does not say what it was made with: .* task=adding again"):
        card_of(compose(SMALL))
    (processed / "card.json").unlink()
    with pytest.raises(ValueError, match=r"data/processed/adding has no corpus: .* task=adding first"):
        card_of(compose(SMALL))
