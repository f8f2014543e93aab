"""Share the model of a finished run on the Hugging Face Hub: ``python -m pipelines.share run=FOLDER to=OWNER/NAME``.

What is uploaded is what ``rnn export format=safetensors`` writes: weights, settings, vocabularies, and a model card that
is made of the run's record. Such a folder may also be given as ``run``, which is uploaded as it is, its card edited or not.
The repository is made where it is not there; the token of ``hf auth login`` or HF_TOKEN opens it.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from pipelines.settings.base import Settings, validate
from pipelines.settings.compose import exit_on_user_error
from pipelines.settings.overrides import check_once, parse
from pipelines.settings.usage import keys_of

PLACES = ("run=", "to=", "revision=", "license=")
"""Words whose value is taken as it is written."""


class Share(Settings):
    """What is shared, and where."""

    run: str = Field(description="the folder of an evaluated run, or of its export as safetensors")
    to: str = Field(description="OWNER/NAME on the Hub")
    private: bool | None = None
    revision: str | None = Field(default=None, description="a branch, made where it is not there")
    license: str | None = Field(
        default=None, description="the licence of the model, such as apache-2.0; that of its data if left out"
    )


def read_words(words: Sequence[str]) -> Share:
    """The settings KEY=VALUE of a command line.

    Raises:
        ValueError: for what is none, and one that is given twice.
    """
    check_once(words)
    given = dict(word.split("=", 1) for word in words if word.startswith(PLACES))
    if not given.get("run") or not given.get("to"):
        raise ValueError(
            "run=FOLDER must name an evaluated run, such as runs/dates/gru/1, and to=OWNER/NAME a model on the Hub"
        )
    others = [parse(word) for word in words if not word.startswith(PLACES)]
    return validate(Share, given | {each.key_or_group: each.value() for each in others})


def share(words: Sequence[str]) -> None:
    """Upload the model that the ``words`` name, and say where it is."""
    settings = read_words(words)
    folder = Path(settings.run)
    from pipelines.comparing.model_card import model_card
    from rnn_lightning.export import export_run
    from rnn_lightning.hub import check_repository, upload
    from rnn_lightning.predictors import is_shared, load_predictor

    check_repository(settings.to)
    place = f"{settings.to}{at(settings.revision)}"
    with tempfile.TemporaryDirectory() as temporary:
        made = folder
        if not is_shared(folder):
            made = Path(temporary, settings.to.rpartition("/")[2])
            export_run(folder, made, "safetensors", model_card(folder, place=place, licence=settings.license))
        elif settings.license is not None:
            raise ValueError(f"license is part of the model card, and {folder}/README.md is there: write it there")
        load_predictor(made)  # nothing is shared that does not load
        address = upload(made, settings.to, private=settings.private, revision=settings.revision)
    print(f"{address} has {settings.run}. Next: `rnn predict run=hub:{place}`")


def at(revision: str | None) -> str:
    """What names the ``revision`` behind a repository."""
    return "" if revision is None else f"@{revision}"


if __name__ == "__main__":
    exit_on_user_error(lambda: share(sys.argv[1:]), keys=lambda: keys_of(Share), resumes=False)
