"""Whether the four ways of answering agree: ``python -m benchmarks.agreement run=runs/dates/gru/1 run=...`` on test items.

The same raw items go to the predictor in Python, to ``rnn predict``, to ``rnn serve`` over HTTP, and to the exported network in
a process that cannot import PyTorch. Text, labels and their order must be equal, numbers within `TOLERANCE`. The counts,
the largest difference of numbers and the first answers that differ are in benchmarks/agreement.json and on docs/export.md. Runs
in that file which are not named stay there.
"""

import argparse
import json
import shlex
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from operator import eq
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.raw_items import Item, items_of
from benchmarks.serving import ask, served
from benchmarks.timing import store
from pipelines.runs.folders import read_run
from pipelines.settings.base import validate
from pipelines.settings.schema import Experiment
from rnn_lightning import load_predictor
from rnn_lightning.export import export_run
from rnn_lightning.files import read_json
from rnn_lightning.items.folders import read_description

TOLERANCE = 1e-4
"""The largest difference of two numbers that are equal: absolute, or of numbers beyond 1 relative."""
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "language": [{"temperature": 0, "length": 40}, {"score": True}],
    "recognition": [{}, {"beam_size": 16, "n_best": 5}],
    "tagging": [{}, {"tokens": "blanks", "confidence": True}],
    "transcription": [{"beam_size": 1}, {"beam_size": 8, "n_best": 5}],
    "translation": [{"beam_size": 1}, {"beam_size": 8, "n_best": 5}],
}
"""By kind, the options that it is asked with; other kinds are asked without."""
OF_NUMBERS = ("forecasts", "regression", "values")
"""Kinds whose text is the same numbers once more, in six digits: a last digit may be rounded the other way."""
AT_ONCE, SHOWN, SHOWN_SIGNS = 50, 3, 200
"""Items of a request; answers that are shown where they differ, and the signs of an item there."""
WITHOUT_TORCH = """
import runpy, sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "lightning", "torchmetrics", "onnx", "onnxscript"):
            raise ModuleNotFoundError(f"{name} is not here")
sys.meta_path.insert(0, Absent())
runpy.run_module("rnn_lightning.runtime", run_name="__main__", alter_sys=True)
"""


class Comparison(NamedTuple):
    """Two answers beside each other: the largest ``gap`` of their numbers, and ``where`` they first differ by too much."""

    gap: float
    where: str | None


def compare(one: Any, other: Any, where: str = "") -> Comparison:
    """Compare two answers, value by value, down to numbers and texts."""
    if all(isinstance(each, int | float) and not isinstance(each, bool) for each in (one, other)):
        gap = 0.0 if one == other else abs(one - other) / max(1.0, abs(one))
        return Comparison(gap, None if gap <= TOLERANCE else where)
    if isinstance(one, dict) and isinstance(other, dict) and [*one] == [*other]:
        parts = [compare(one[key], other[key], f"{where}.{key}".lstrip(".")) for key in one]
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        parts = [compare(*pair, f"{where}[{at}]") for at, pair in enumerate(zip(one, other, strict=True))]
    else:
        return Comparison(0.0, None if one == other else where or "the whole")
    found = [part.where for part in parts if part.where is not None]
    return Comparison(max((part.gap for part in parts), default=0.0), found[0] if found else None)


def compared(kind: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> Comparison:
    """`compare` for answers of a ``kind``."""
    kept = [key for key in one if key != "text" or kind not in OF_NUMBERS]
    return compare({key: one[key] for key in kept}, {key: other[key] for key in other if key != "text" or key in kept})


def read(answer: str | bytes) -> Any:
    """What an answer says in JSON.

    Raises:
        ValueError: where it is none, or has a number that JSON has not: an infinity, or NaN.
    """

    def refuse(name: str) -> None:
        raise ValueError(f"{name} is no value of JSON: {answer[:SHOWN_SIGNS]!r}")

    return json.loads(answer, parse_constant=refuse)


def words_of(options: Mapping[str, Any]) -> list[str]:
    return [f"{name}={json.dumps(value)}" for name, value in options.items()]


def by_lines(command: Sequence[str], items: Sequence[Item]) -> list[Any]:
    """The answers of a command in JSON, to the lines of items."""
    given = "".join(f"{item.line}\n" for item in items)
    done = subprocess.run([sys.executable, *command, "format=json"], input=given, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(f"{shlex.join(command[-4:])} ends with {done.returncode}: {done.stderr[-1000:]}")
    answers = [read(line) for line in done.stdout.split("\n")[:-1]]
    return [{key: value for key, value in answer.items() if key != "line"} for answer in answers]


def by_requests(port: int, items: Sequence[Item], options: Mapping[str, Any]) -> list[Any]:
    """The answers of a server."""
    answers = []
    for start in range(0, len(items), AT_ONCE):
        inputs = [item.request for item in items[start : start + AT_ONCE]]
        status, body = ask(port, json.dumps({"inputs": inputs, "params": options}).encode())
        if status != 200:
            raise ValueError(f"the server answers with {status}: {body.decode()}")
        answers += read(body)["predictions"]
    return answers


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def ways(run: Path, items: Sequence[Item], place: Path, asked: Sequence[dict[str, Any]]) -> Iterator[dict[str, list[Any]]]:
    """For each of the options that are ``asked``, the answers of each way."""
    export_run(run, place / "export")
    port = free_port()
    with served(str(run), port):
        for options in asked:
            words = words_of(options)
            yield {
                "python": load_predictor(run, **options)([item.given for item in items]),
                "command": by_lines(["-m", "pipelines.predict", f"run={run}", *words], items),
                "server": by_requests(port, items, options),
                "export": by_lines(["-c", WITHOUT_TORCH, str(place / "export"), *words], items),
            }


def row_of(kind: str, options: Mapping[str, Any], items: Sequence[Item], answers: Mapping[str, list[Any]]) -> dict[str, Any]:
    """What is stored of the answers of all ways to the same items: those in Python, and how the others compare with them."""
    right = answers["python"]
    others = {way: found for way, found in answers.items() if way != "python"}
    beside = {way: [compared(kind, *pair) for pair in zip(right, found, strict=True)] for way, found in others.items()}
    differ = [
        {"way": way, "item": items[at].line[:SHOWN_SIGNS], "where": each.where, "python": right[at], way: others[way][at]}
        for way, all_of in beside.items()
        for at, each in enumerate(all_of)
        if each.where is not None
    ]
    return {
        "options": dict(options),
        "items": len(items),
        "equal_in_all": sum(all(each.where is None for each in of_item) for of_item in zip(*beside.values(), strict=True)),
        "equal": {way: sum(each.where is None for each in all_of) for way, all_of in beside.items()},
        "identical": {way: sum(map(eq, right, found)) for way, found in others.items()},
        "largest_difference": {way: max(each.gap for each in all_of) for way, all_of in beside.items()},
        "first_that_differ": differ[:SHOWN],
    }


def measure(folder: Path, count: int) -> dict[str, Any]:
    """What is stored of a run."""
    run = read_run(folder)
    experiment = validate(Experiment, {**run.config, "seeds": 1, "workers": 1})
    kind = read_description(folder)["predictor"]
    asked = OPTIONS.get(kind, [{}])
    with tempfile.TemporaryDirectory() as place:
        items = items_of(folder, experiment, count, Path(place))
        answers = ways(folder, items, Path(place), asked)
        rows = [row_of(kind, options, items, each) for options, each in zip(asked, answers, strict=True)]
    return {"kind": kind, "title": experiment.task.title, "network": run.label, "trained_by": run.command, "rows": rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="run=FOLDER", help="an evaluated run, whose corpus is there")
    parser.add_argument("--items", type=int, default=200)
    options = parser.parse_args()
    file = Path(__file__).with_suffix(".json")
    runs: dict[str, Any] = read_json(file)["runs"] if file.exists() else {}
    for word in options.runs:
        folder = Path(word.removeprefix("run=").rstrip("/"))
        runs["/".join(folder.parts[-3:])] = found = measure(folder, options.items)
        for row in found["rows"]:
            equal, largest = f"{row['equal_in_all']} of {row['items']}", max(row["largest_difference"].values())
            print(f"{folder} {row['options']}: {equal} equal in all, numbers within {largest:.1e}", flush=True)
        again = [f"run=runs/{name}" for name in runs]
        command = shlex.join(["python", "-m", "benchmarks.agreement", *again, "--items", str(options.items)])
        store(__file__, {"command": command, "tolerance": TOLERANCE, "runs": runs})


if __name__ == "__main__":
    main()
