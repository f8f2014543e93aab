"""The card of a processed corpus, which must be one of the experiment's own settings."""

from typing import Any

from pipelines.settings.legacy import modern
from pipelines.settings.nested import changes
from pipelines.settings.schema import Experiment
from rnn_lightning.corpora import SPLITS
from rnn_lightning.files import add_sum, check_sums, read_json, write_json

NOTE = "corpus.json"
"""The settings that a processed corpus was made with."""


def note_corpus(experiment: Experiment) -> None:
    """Leave with the processed corpus what it was made with."""
    write_json(experiment.processed() / NOTE, _asked(experiment))
    add_sum(experiment.processed(), NOTE)


def card_of(experiment: Experiment) -> dict[str, Any]:
    """The card of the experiment's processed corpus; its files are compared with their SHA-256, the arrays by data modules.

    Raises:
        ValueError: where there is none, a file is damaged, or it was made with other settings; names them.
    """
    folder = experiment.processed()
    again = f"`python -m pipelines.fetch` and `preprocess` task={experiment.task_name}"
    if not (folder / "card.json").exists():
        raise ValueError(f"{folder} has no corpus: {again} first")
    if not (folder / NOTE).exists():
        raise ValueError(f"{folder} does not say what it was made with: {again} again")
    check_sums(
        folder,
        besides=[f"{split}.npz" for split in SPLITS],
        again=f"`python -m pipelines.preprocess task={experiment.task_name}` again",
    )
    before = modern({"task": {"corpus": read_json(folder / NOTE)}})["task"]["corpus"]
    if different := changes(before, _asked(experiment), "task.corpus."):
        raise ValueError(f"{folder} was made with other settings ({different}): {again} again, or give its settings here too")
    return read_json(folder / "card.json")


def _asked(experiment: Experiment) -> dict[str, Any]:
    return experiment.task.corpus.model_dump(mode="json", by_alias=True)
