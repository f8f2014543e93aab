"""Write the network of a finished run for others to run: ``python -m pipelines.export run=runs/dates/lstm/1 format=onnx``.

The folder, ``exports/dates-lstm-1`` if ``to`` names no other, holds the network in that format, its vocabularies and its
settings. Rows and steps may be of any number, padding changes nothing, and where a network reads one way its state goes in and
out. It is put in place once its answers have been compared with those of the network itself. By a folder of onnx,
``python -m rnn_lightning.runtime FOLDER < lines`` answers without PyTorch; docs/export.md has an example of each kind.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from pipelines.runs.remarks import say_of_run
from pipelines.settings.base import Settings, validate
from pipelines.settings.compose import exit_on_user_error
from pipelines.settings.overrides import check_once, parse
from pipelines.settings.usage import keys_of

PLACES = ("run=", "to=")
"""Words whose value is taken as it is written."""


class Export(Settings):
    """What is exported, how, and where to."""

    run: str = Field(description="the folder of an evaluated run, such as runs/dates/gru/1")
    to: str | None = Field(
        default=None,
        description="the folder to write; exports/TASK-RNN-SEED if left out",
    )
    format: Literal["onnx", "torch_export", "safetensors"] = "onnx"

    def target(self) -> Path:
        """The folder to write: of a run ``.../TASK/RNN/SEED`` by these, of shared weights by their name and the format."""
        if self.to is not None:
            return Path(self.to)
        folder = Path(self.run).resolve()
        parts = folder.parts[-3:] if folder.name.isdigit() else (folder.name, self.format)
        return Path("exports", "-".join(parts))


def read_words(words: Sequence[str]) -> Export:
    """The settings KEY=VALUE of a command line.

    Raises:
        ValueError: for what is none, and one that is given twice.
    """
    check_once(words)
    given = dict(word.split("=", 1) for word in words if word.startswith(PLACES))
    if not given.get("run"):
        raise ValueError("run=FOLDER must name the folder of an evaluated run, such as runs/dates/gru/1")
    others = [parse(word) for word in words if not word.startswith(PLACES)]
    return validate(Export, given | {each.key_or_group: each.value() for each in others})


def export(words: Sequence[str]) -> None:
    """Write the network that the ``words`` name, and say where it is."""
    settings = read_words(words)
    from pipelines.comparing.model_card import model_card
    from rnn_lightning.export import export_run

    say_of_run(Path(settings.run))
    card = model_card(Path(settings.run)) if settings.format == "safetensors" else None
    entry = export_run(Path(settings.run), settings.target(), settings.format, card)
    gaps = [graph["largest_difference"] for graph in entry.get("graphs", {}).values()]
    like = f"differs from the network by {max(gaps):.1e} at most" if gaps else "answers as the network does"
    print(f"{settings.target()} has {settings.run} as {settings.format}, which {like}")


if __name__ == "__main__":
    exit_on_user_error(lambda: export(sys.argv[1:]), keys=lambda: keys_of(Export), resumes=False)
