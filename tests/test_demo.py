"""The page on which finished runs are tried: what it shows of answers, the pen, and that a browser gets it."""

import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from nicegui import ui
from run_folders import make_run, own_place, store_task

from pipelines.demo import best_of_each_task, check_address, read_words, trials
from pipelines.trying import models, page, views
from pipelines.trying.pen import Drawing

HOSTILE = "<script>alert('x')</script>"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A folder with two runs of a translation and a run of a recogniser, and their corpora."""
    with own_place(tmp_path_factory.mktemp("project")) as _:
        place = Path.cwd()
        for task, rnn in (("dates", "lstm"), ("strokes", "lstm")):
            store_task(Path("runs") / task / rnn / "1", f"task={task}", f"rnn={rnn}")
            metric = {"dates": "test/accuracy", "strokes": "test/cer"}[task]
            config = {"task_name": task, "task": {"name": task}, "rnn": {"cell": rnn}, "seed": 1}
            make_run(place, task, rnn, 1, {"test/loss": 1.0, metric: 0.5}, config=config)
        yield place


@pytest.mark.parametrize(
    "shown",
    [
        views.tagged({"words": [HOSTILE], "tags": [HOSTILE]}),
        views.ranked({"text": HOSTILE, "score": -1.0}),
        views.attention([HOSTILE], [HOSTILE], [[0.5]]),
        views.continued(HOSTILE, HOSTILE),
        views.recognised({"text": HOSTILE, "labels": [{"label": HOSTILE, "confidence": 1.0}]}),
        views.classified({"text": HOSTILE, "confidence": 0.5}),
        views.plain({"text": HOSTILE}),
        views.error(HOSTILE),
    ],
)
def test_all_text_is_escaped(shown: str) -> None:
    assert "<script" not in shown and "&lt;script" in shown


def test_attention_is_darker_where_it_is_larger() -> None:
    cells = re.findall(r"rgb\(25 95 165 / (\d+)%\)", views.attention(["a", "b"], ["x", "y"], [[0.25, 0.75], [1.0, 0.0]]))
    assert list(map(int, cells)) == [25, 75, 100, 0]


def test_the_tags_of_one_kind_have_one_colour() -> None:
    assert views.colour_of("B-PER") == views.colour_of("I-PER") != views.colour_of("B-LOC")


def test_the_pen_writes_while_it_is_down() -> None:
    drawing = Drawing()
    changed = [
        drawing.take(*event) for event in (("mousemove", 0, 0), ("mousedown", 1, 2), ("mousemove", 3, 4), ("mouseup", 3, 4))
    ]
    assert changed == [False, True, True, False]
    assert not drawing.take("mousemove", 9, 9)
    drawing.take("mousedown", 5, 5)
    assert drawing.upwards() == [[[1, -2], [3, -4]], [[5, -5]]]
    assert drawing.svg().count("<polyline") == 2
    drawing.clear()
    assert drawing.upwards() == [] and not drawing.svg()


def test_a_trial_answers_with_the_options_that_it_is_given(project: Path) -> None:
    (dates, strokes) = trials(best_of_each_task())
    answer = dates.answer("May 3rd, 1988", {"beam_size": 3, "n_best": 3, "scores": True})
    assert len(answer["n_best"]) == 3 and dates.attends and dates.example
    looked = dates.answer("May 3rd, 1988", {"attention": True})
    assert len(looked["attention"]) == len(looked["target"]) and len(looked["attention"][0]) == len(looked["source"])
    assert strokes.answer([[[0.0, 0.0], [0.0, 9.0]]]).keys() >= {"text", "labels"}
    with pytest.raises(ValueError, match="beam_size"):
        dates.answer("May", {"beam_size": 0})


def test_a_browser_gets_the_page(project: Path, tmp_path: Path) -> None:
    (tmp_path / page.PICTURE).write_bytes(b"")
    served = FastAPI()
    ui.run_with(served, root=lambda: page.build(trials(best_of_each_task()), tmp_path))
    with TestClient(served) as client:
        got = client.get("/").text
        assert client.get(f"/microscope/{page.PICTURE}").status_code == 200
    for text in ("Dates: LSTM", "Numbers in pen strokes: LSTM", "Memory", "beam size", "Write with the mouse"):
        assert text in got


def test_what_is_tried_is_told_or_the_best_of_each_task() -> None:
    assert read_words(["run=runs/a/b/1/", "run=runs/a/b/1", "port=1"]).model_dump() == {
        **{"run": ["runs/a/b/1"], "host": "127.0.0.1", "port": 1}
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run=nowhere"], "nowhere does not exist: give the folder of an evaluated run"),
        (["port=70000"], "port"),
        (["pot=1"], "pot"),
        ([], "runs/ has no evaluated runs"),
    ],
)
def test_what_cannot_be_tried_is_refused(words: list[str], said: str, tmp_path: Path) -> None:
    with own_place(tmp_path), pytest.raises(ValueError, match=re.escape(said)):
        given = read_words(words).run
        trials([Path(folder) for folder in given] or best_of_each_task())


def test_an_address_in_use_is_refused_before_the_page_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ValueError, match=f"127.0.0.1:{port} cannot be listened on"):
            check_address("127.0.0.1", port)


def test_a_search_that_found_nothing_shows_nothing() -> None:
    assert views.ranked({"text": "", "n_best": []}) == ""


def test_runs_that_are_asked_at_once_are_loaded_one_after_the_other(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loading, most = 0, 0

    def load(folder: Path, **options: Any) -> Path:
        nonlocal loading, most
        loading, most = loading + 1, max(most, loading + 1)
        time.sleep(0.05)
        loading -= 1
        return folder

    monkeypatch.setattr(models, "load_predictor", load)
    asked = trials([Path("runs/dates/lstm/1"), Path("runs/strokes/lstm/1")])
    with ThreadPoolExecutor() as threads:
        assert [*threads.map(lambda trial: trial.predictor(), asked)] == [trial.folder for trial in asked]
    assert most == 1
