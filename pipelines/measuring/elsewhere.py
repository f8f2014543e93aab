"""A trained model measured on the test split of another corpus of its kind.

The rows are encoded anew with what the run's folder holds: tokenizer or lexicon, classes, settings of signals. A series in time
is scaled by its own training part. What is made of them lies in folders of its own.
"""

import hashlib
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines import tracking
from pipelines.measuring.measure import finite, load_trained, measure, shown
from pipelines.measuring.scaling import scale
from pipelines.measuring.widening import widen
from pipelines.runs.cards import card_of
from pipelines.runs.folders import Run, given_run
from pipelines.runs.measured import FACTS, measured_folder
from pipelines.runs.partners import check_unchanged
from pipelines.runs.processes import made_alone
from pipelines.runs.provenance import commit, hardware, versions
from pipelines.settings.base import validate
from pipelines.settings.compose import CONF, compose
from pipelines.settings.keywords import named
from pipelines.settings.overrides import FOLDER, SEARCHPATH, check_once, fetching
from pipelines.settings.schema import Experiment
from pipelines.settings.tasks import task_names
from pipelines.tracking.finished import publish_measured
from rnn_lightning.corpora import Pairs
from rnn_lightning.corpora.corpus import RawSplit
from rnn_lightning.corpora.elsewhere import ENCODINGS, Encoded, Known, write_test
from rnn_lightning.files import read_json, sha256, whole_folder, write_json
from rnn_lightning.pen import FEATURES
from rnn_lightning.predictors import CHECKPOINT, read_description

NAMES = {"classification": "classes", "frames": "classes", "recognition": "labels"}
"""By predictor, what a system calls the names that it answers with."""


def measure_elsewhere(words: Sequence[str]) -> None:
    """Measure the run and on the corpus that ``words`` name: ``run=FOLDER on=TASK``, and settings of that task.

    Raises:
        ValueError: where the folder holds no run, the task is of another kind, or its data are not there.
    """
    folder, other = read_words(words)
    run = given_run(folder)
    experiment = validate(Experiment, {**run.config, "seeds": 1, "workers": 1})
    check_unchanged(folder, run.partners, experiment.task.metric.search)
    raw = read_rows(folder, experiment, other)
    target = measured_folder(folder, name_of(other))
    with made_alone(target, f"the measurement {target}"), whole_folder(target, sums=True) as partial:
        system = load_trained(experiment, folder)
        encoded = ENCODINGS[raw.kind].encode(raw, Known(folder, names_of(system, ENCODINGS[raw.kind].predictor)))
        tell_unknown(encoded, raw.kind)
        suit(system, raw.kind, encoded)
        weights = sha256(folder / CHECKPOINT)
        own = experiment.model_copy(update={"task_name": f"{target.name}-by-{weights[:8]}"})
        card = write_test(own.processed(), encoded, card_for(folder, experiment, other), train_for(experiment, run))
        metrics = measure(own, system, partial)
        write_json(partial / "metrics.json", {name: finite(value) for name, value in metrics.items()})
        write_json(partial / "card.json", card)
        write_json(partial / FACTS, facts_of(folder, words, experiment, card) | {"weights": weights, "partners": run.partners})
    print(f"{target}: {shown(metrics)}")
    publish_measured(target, folder, run)
    tracking.flush()


def read_words(words: Sequence[str]) -> tuple[Path, Experiment]:
    """The folder of the run, and the experiment of the other task, with its further settings.

    Raises:
        ValueError: where one of the two is not given.
    """
    check_once(words)
    given = {key: value for key, _, value in (word.partition("=") for word in words)}
    if not given.get("run") or not given.get("on"):
        raise ValueError("run=FOLDER and on=TASK go together, such as run=runs/ewt/bilstm/1 on=sequoia")
    own = [word for word in words if not word.startswith(("run=", "on="))]
    return Path(given["run"]), compose([*task_words(given["on"], given.get("conf")), *own])


def task_words(on: str, conf: str | None = None) -> list[str]:
    """The words that choose a task by its name, which may be one of the folder ``conf``, or by its file ``.../task/NAME.yaml``.

    Raises:
        ValueError: for a name that no task has, a file elsewhere than in a folder ``task``, or by the name of another task.
        FileNotFoundError: where there is no such file.
    """
    if not on.endswith(".yaml"):
        if on not in (tasks := [*task_names(CONF), *([] if conf is None else task_names(Path(conf).expanduser()))]):
            raise ValueError(f"{named('on', on, tasks)}; of a file of your own give .../task/{on}.yaml")
        return [f"task={on}"]
    file, known = Path(on).resolve(), CONF / "task" / Path(on).name
    if not file.is_file():
        raise FileNotFoundError(f"on={on}: there is no such file")
    if file == known.resolve():
        return [f"task={file.stem}"]
    if file.parent.name != "task":
        raise ValueError(f"on={on}: a task file lies in a folder named task: move it to {file.parent / 'task' / file.name}")
    if known.exists():
        raise ValueError(f"on={on}: conf/task has a task {file.stem} too: give the file another name")
    return [f"task={file.stem}", f"{FOLDER}{file.parent.parent}"]


def name_of(other: Experiment) -> str:
    """The name of the other corpus: its task, with a hash of the settings that the command line changes."""
    changed = [word for word in other.command_line if not word.startswith(("task=", FOLDER, SEARCHPATH))]
    digest = hashlib.sha256(json.dumps(sorted(changed)).encode()).hexdigest()[:8]
    return f"{other.task_name}-{digest}" if changed else other.task_name


def read_rows(folder: Path, experiment: Experiment, other: Experiment) -> RawSplit:
    """The test split of the other corpus, its items read as those of the run's own.

    Raises:
        ValueError: where it is not fetched, or of another kind.
    """
    if not (other.raw() / "source.json").exists():
        raise ValueError(f"{other.raw()} has no data: `{fetching(other)}` first")
    description, mine, theirs = read_description(folder), experiment.task.corpus.build(), other.task.corpus.cls()
    shared = {name: getattr(mine, name) for name in theirs.item_settings if name in mine.item_settings}
    corpus = other.task.corpus.build(**shared)
    raw = corpus.test_split(other.raw())
    if (wanted := description["predictor"]) != ENCODINGS[raw.kind].predictor:
        kinds = " or ".join(each.what for each in ENCODINGS.values() if each.predictor == wanted)
        if not kinds:
            raise ValueError(f"{folder} has a predictor of {wanted}, which on= does not measure")
        raise ValueError(f"on={other.task_name} has {ENCODINGS[raw.kind].what}, and {folder} reads {kinds}: name such a task")
    if (own := description.get("inputs")) is not None and (inputs := json.loads(json.dumps(corpus.inputs()))) != own:
        raise ValueError(f"on={other.task_name} reads items as {inputs}, and {folder} as {own}: name a task that reads alike")
    return raw


def names_of(system: Any, predictor: str) -> list[str]:
    """The names that the system answers with, where it has some."""
    return list(getattr(system, NAMES[predictor]) or ()) if predictor in NAMES else []


def suit(system: Any, kind: str, encoded: Encoded) -> None:
    """Give ``system`` the classes that it does not have, or the scale of a series, so that it can be measured on the rows."""
    widen(system, ENCODINGS[kind].predictor, encoded.added)
    if kind == "series":
        scale(system, encoded.card)


def tell_unknown(encoded: Encoded, kind: str) -> None:
    """Say on standard error what the model does not know."""
    if encoded.unknown:
        counts = ", ".join(f"{name!r} ({count})" for name, count in encoded.unknown.items())
        fate = "left out" if kind == "text" else "counted as errors"
        print(f"warning: the model does not know {counts}: {fate}", file=sys.stderr)


def card_for(folder: Path, experiment: Experiment, other: Experiment) -> dict[str, Any]:
    """What the card says of the other corpus, and of how the run's own is read and judged."""
    source, settings = read_json(other.raw() / "source.json"), experiment.task.corpus.model_extra or {}
    inputs = dict(read_description(folder).get("inputs", {}))
    name = inputs.pop("name", None)
    drawn = {"spectra": inputs} if name == "sound" else {"features": list(FEATURES)} if name == "strokes" else {}
    judged = {"lowercase": settings.get("lowercase", False), "out_of_scope": settings.get("out_of_scope")}
    about = {"title": other.task.title, "source": source, "licence": source.get("licence"), "measured_by": str(folder)}
    return about | judged | drawn


def train_for(experiment: Experiment, run: Run) -> Pairs | None:
    """The training split of the run's own corpus, where the search of its test counts n-grams there.

    Raises:
        ValueError: where it is another one now.
    """
    if "order" not in (experiment.task.metric.search.get("fusion") or {}):
        return None
    if card_of(experiment)["sha256"]["all"] != run.data:
        raise ValueError(
            f"{experiment.processed()} is other data than the run's, whose n-grams its search needs: make it again"
        )
    return Pairs(**experiment.task.data.build(folder=experiment.processed()).arrays("train"))


def facts_of(folder: Path, words: Sequence[str], experiment: Experiment, card: dict[str, Any]) -> dict[str, Any]:
    """What ``FACTS`` says of a measurement."""
    return {
        "run": str(folder),
        "on": card["title"],
        "data": card["sha256"]["all"],
        "unknown": card["unknown"],
        "command": shlex.join(["python", "-m", "pipelines.evaluate", *words]),
        "commit": commit(),
        "hardware": hardware(experiment.trainer.accelerator),
        "versions": versions(),
    }
