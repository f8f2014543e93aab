"""The run whose weights a training begins with, as its record names it."""

from pathlib import Path
from typing import Any

from pipelines.settings.schema import Experiment
from rnn_lightning.files import read_json, sha256
from rnn_lightning.hub import local_folder

WEIGHTS = ("model.ckpt", "model.safetensors")
"""The file of the weights: of a run's folder, and of a shared or exported one."""


def weights_file(place: str) -> Path:
    """The weights in the folder of a run, of an export, or of ``hub:OWNER/NAME@REVISION``.

    Raises:
        FileNotFoundError: where there are none.
        ValueError: where the Hub has no such model.
    """
    folder = local_folder(place)
    for name in WEIGHTS:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(
        f"init_from={place}: there is no {' or '.join(WEIGHTS)}; give the folder of a run, such as runs/ewt/bilstm/1, "
        "one exported as safetensors, or hub:OWNER/NAME@REVISION"
    )


def source_of(experiment: Experiment) -> dict[str, Any] | None:
    """Where the initial weights come from, and the SHA-256 of their file; of a run also its task, architecture and commit."""
    if experiment.init_from is None:
        return None
    file = weights_file(experiment.init_from)
    record = file.parent / "training.json"
    known = read_json(record) if record.exists() else {}
    run = {name: known[name] for name in ("task", "rnn", "seed", "commit") if name in known}
    return {"place": experiment.init_from, "weights": sha256(file), **run}
