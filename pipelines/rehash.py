"""Once: stored results get the hash that their processed data have today, where the data prove to be the same.

Before 5581876 `numpy.savez` wrote the arrays, whose headers Python 3.11.4 changed. Under such a Python this writes the arrays
of data/processed/TASK again as they were written then; where the hash of that is the one stored, the hash is replaced.
"""

import json
import sys
import tempfile
from pathlib import Path

import numpy as np

from pipelines.results import _replace, read_results
from pipelines.runs import read_json
from rnn_lightning.corpora.files import sha256


def hash_of_then(processed: Path) -> str:
    with tempfile.TemporaryDirectory() as place:
        files = []
        for path in sorted(path for path in processed.iterdir() if path.suffix in (".npz", ".txt")):
            if path.suffix == ".npz":
                with np.load(path, allow_pickle=False) as arrays:
                    np.savez(Path(place) / path.name, allow_pickle=False, **{name: arrays[name] for name in arrays.files})
                path = Path(place) / path.name
            files.append(path)
        return sha256(*files)


for task, corpus in (told.split("=") for told in sys.argv[1:]):
    processed, file = Path("data/processed") / corpus, Path("results") / f"{task}.json"
    now, then = read_json(processed / "card.json")["sha256"]["all"], hash_of_then(processed)
    runs = [run.plain() for run in read_results(file)]
    told = {run["data"] for run in runs}
    if told == {now}:
        print(f"{task}: is of today")
    elif told != {then}:
        print(f"{task}: other data: stored {told}, then {then}, now {now}")
    else:
        _replace(file, json.dumps({"runs": [run | {"data": now} for run in runs]}, indent=1) + "\n")
        print(f"{task}: {then[:8]} is {now[:8]}")
