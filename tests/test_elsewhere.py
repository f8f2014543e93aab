"""A trained model on the test split of another corpus: exact on its own, by its own vocabulary and classes, of every kind."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pytest
import yaml
from corpora import divided, write_fetched
from often import some
from run_folders import own_place
from test_classes import requests, voices
from test_frames import spoken

from pipelines import tracking
from pipelines.compare import compare
from pipelines.evaluate import evaluate
from pipelines.fetch import fetch
from pipelines.measuring.elsewhere import measure_elsewhere
from pipelines.preprocess import preprocess
from pipelines.settings.compose import CONF, compose
from pipelines.train import train

SMALL = [
    "seed=1",
    "task.parameters=null",
    "+task.rnn.hidden_size=6",
    "task.training.epochs=1",
    "task.training.validate_every=null",
]
ROWS = ["task.corpus.rows={train: 60, validation: 20, test: 30}"]
COLUMNS = {"clinc": requests, "japanese_vowels": voices, "phonemes": spoken}
RUNS: dict[str, list[str]] = {
    "adding": [*ROWS, "task.corpus.steps=6"],
    "copying": [*ROWS, "task.corpus.delay=5", "task.data.batch_size=4"],
    "nested": [*ROWS, "task.data.batch_size=4", "task.corpus.classes=3"],
    "dates": ROWS,
    "foresight": [*ROWS, "task.corpus.classes=2"],
    "strokes": [*ROWS, "task.metric.search={beam_size: 4, fusion: {order: 2}}"],
    "clinc": ["task.model.input_size=5"],
    "japanese_vowels": ["task.corpus.rows=null"],
    "phonemes": [],
}
QUICK = ("dates", "clinc")
ALONE = {"splits": {"test": "exam"}, "rows": None}
"""A data set that has a test split only."""
OTHERS: dict[str, dict[str, Any]] = {
    "adding": {"steps": 9, "seed": 5},
    "copying": {"delay": 8, "seed": 5},
    "nested": {"classes": 4, "seed": 5},
    "dates": {"years": [1900, 1949]},
    "foresight": {"classes": 3, "seed": 5},
    "strokes": {"digits": [2, 3], "seed": 5},
    "clinc": ALONE,
    "japanese_vowels": ALONE,
    "phonemes": {**ALONE, "group": None, "spectra": {"sampling_rate": 8000, "kind": "log_mel", "mels": 20}},
}
UNKNOWN = {
    "clinc": {"weather"},
    "foresight": {"ADJ", "DET", "NOUN", "PART"},
    "japanese_vowels": {"woman"},
    "phonemes": {"shrill"},
}
"""What begins the classes or tags that the model has not learnt."""


def exam(task: str) -> dict[str, dict[str, Any]]:
    """A test split alone, of which the model does not know a class."""
    columns = COLUMNS[task]()["test"]
    if task == "clinc":
        columns = {"text": ["why", "dogs bark", "rain", "snow"], "intent": ["oos", "oos", "weather", "weather"]}
    elif task == "japanese_vowels":
        columns = {"sequence": columns["sequence"][:6], "label": [*columns["label"][:2], *["woman"] * 4]}
    else:
        renamed = [
            [segment | {"phoneme": segment["phoneme"].replace("high", "shrill")} for segment in row]
            for row in columns["phonemes"].to_pylist()
        ]
        columns = {**columns, "phonemes": pyarrow.array(renamed)}
    return {"test": columns}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The working folder of all runs."""
    place = tmp_path_factory.mktemp("place")
    (place / "mine/task").mkdir(parents=True)
    with own_place(place):
        yield place


@pytest.fixture(scope="module", params=some(sorted(RUNS, key=lambda task: task not in QUICK), len(QUICK)))
def run(request: pytest.FixtureRequest, place: Path) -> Path:
    """A finished run of a small task, with a file of another task beside it."""
    task = request.param
    experiment = compose([f"task={task}", *SMALL, *RUNS[task]])
    if task in COLUMNS:
        corpus = experiment.task.corpus.build()
        write_fetched(experiment.raw(), divided(corpus, COLUMNS[task]()), corpus.spec())
    else:
        fetch(experiment)
    for stage in (preprocess, train, evaluate):
        stage(experiment)
    sizes = {} if task in COLUMNS else {"rows": {"train": 1, "validation": 1, "test": 25}}
    other = {"defaults": [task, "_self_"], "title": "Other rows", "corpus": {**sizes, **OTHERS[task]}}
    (place / f"mine/task/other_{task}.yaml").write_text(yaml.safe_dump(other))
    return experiment.run(1)


def contents(*folders: str) -> dict[Path, bytes]:
    return {file: file.read_bytes() for folder in folders for file in sorted(Path(folder).rglob("*")) if file.is_file()}


def test_on_its_own_corpus_a_model_has_the_metrics_of_its_own_evaluation(run: Path) -> None:
    task = run.parts[-3]
    before = contents("data", "runs", "trained")
    own = [word for word in RUNS[task] if word.startswith("task.corpus")]
    measure_elsewhere([f"run={run}", f"on={task}", *own])
    (folder,) = Path("measured", *run.parts[1:]).glob(f"{task}*")
    assert (folder / "metrics.json").read_bytes() == (run / "metrics.json").read_bytes()
    assert json.loads((folder / "measured.json").read_text())["unknown"] == {}
    assert {file: text for file, text in contents("data", "runs", "trained").items() if file in before} == before


def fetched_other(task: str) -> str:
    """The file of another task of the kind of ``task``, whose data are there."""
    other = compose([f"task=other_{task}", f"hydra.searchpath=[file://{Path('mine').resolve()}]"])
    if task not in COLUMNS:
        fetch(other)
    elif not other.raw().exists():
        write_fetched(other.raw(), exam(task), other.task.corpus.build().spec())
    return f"mine/task/other_{task}.yaml"


def test_on_another_corpus_a_model_reads_by_what_it_has_learnt(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    task = run.parts[-3]
    on = fetched_other(task)
    before = contents("data", "runs", "trained")
    measure_elsewhere([f"run={run}", f"on={on}"])
    said, folder = capsys.readouterr(), Path("measured", *run.parts[1:], f"other_{task}")
    metrics, facts = (json.loads((folder / name).read_text()) for name in ("metrics.json", "measured.json"))
    assert {file: text for file, text in contents("data", "runs", "trained").items() if file in before} == before
    assert f"{folder}: test/loss" in said.out
    assert {name.split("-")[0] for name in facts["unknown"]} == UNKNOWN.get(task, set())
    assert ("warning: the model does not know" in said.err) == bool(facts["unknown"])
    assert (metrics["test/loss"] is None) == bool(facts["unknown"]), "what has no probability has an infinite loss"
    if task in ("clinc", "japanese_vowels"):
        pairs = [line.split("\t") for line in (folder / "classified.txt").read_text().splitlines()]
        assert metrics["test/accuracy"] == pytest.approx(sum(one == two for one, two in pairs) / len(pairs))
        assert sum(one in facts["unknown"] for one, _ in pairs) == sum(facts["unknown"].values())
        assert not {found for _, found in pairs} & facts["unknown"].keys()


def test_a_measurement_is_a_row_of_the_report_and_a_run_of_the_dashboard(run: Path) -> None:
    task = run.parts[-3]
    if not Path("measured", *run.parts[1:], f"other_{task}").exists():
        measure_elsewhere([f"run={run}", f"on={fetched_other(task)}"])
    (section,) = compare(Path("runs"), Path("reports"), conf=CONF, data=Path("data"), tasks=[task])
    assert f"| other_{task} | {section.rows[0].label} |" in Path("reports/comparison.md").read_text()
    assert f"<td>other_{task}</td>" in Path("reports/comparison.html").read_text()
    (measured,) = [each for each in section.measured if each.on == f"other_{task}"]
    store = tracking.store.client()
    (shown,) = store.search_runs([each.experiment_id for each in store.search_experiments()], f"tags.on = 'other_{task}'")
    assert shown.data.tags["data"] == measured.data and shown.data.metrics == pytest.approx(measured.metrics)
