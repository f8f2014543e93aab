"""What a command that answers by a finished run says of it first: what its answers lack, or are not those of its test for."""

import sys
from collections.abc import Iterator
from pathlib import Path

from pipelines.runs.code import own_code
from rnn_lightning.files import read_json
from rnn_lightning.items.folders import TRAINING, said_of_test


def say_of_run(folder: Path) -> None:
    """Say on standard error what there is to say of the evaluated run in ``folder``, a line each."""
    for line in remarks(folder):
        print(line, file=sys.stderr, flush=True)


def remarks(folder: Path) -> Iterator[str]:
    """What there is to say of the evaluated run in ``folder``."""
    if said := said_of_test(folder):
        yield said
    facts = read_json(folder / TRAINING) if (folder / TRAINING).exists() else {}
    code = facts.get("own_code")
    if code is not None and own_code(rnn := facts["config"]["rnn"]) not in (code, None):  # None: it is refused all the same
        yield f"{folder}: the code of {rnn['cell']} is not that of the training, so the network may be another: train again"
