"""A task file of one's own: what ``pipelines.new`` guesses and refuses, folders beside ``conf/``, corpora of one's own."""

import re
import shlex
from pathlib import Path

import pytest
import yaml
from documents import ROOT
from own_files import KINDS, write_pictures, write_reviews, write_sounds

from pipelines.new import new, read_arguments
from pipelines.settings.compose import compose

BODIES = ["from=bodies.csv", "series=id", "sequence=[x,y]"]
MINE = """
from pathlib import Path
from rnn_lightning.corpora import LabelledText

class Shouted(LabelledText):
    pass

def run(**settings):
    Path("called").touch()
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def made(*words: str) -> dict[str, object]:
    new(["mine", *words, "conf=own"])
    return yaml.safe_load(Path("own/task/mine.yaml").read_text())


def test_it_says_what_is_guessed_and_what_is_next(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_reviews(place)
    written = made("--from", "reviews.csv", "--text=body", "--label", "stars")
    assert written["defaults"] == ["clinc", "_self_"] and len(Path("own/task/mine.yaml").read_text().splitlines()) <= 20
    said = capsys.readouterr().out
    assert said.startswith("own/task/mine.yaml: text with a class, with the network and the training of the task clinc\n")
    assert "columns: text=body, label=stars\n" in said
    assert "splits: train; held out of train are 10% for validation and 10% for the test\n" in said
    assert "python -m pipelines.fetch task=mine conf=own\n" in said and said.endswith("predict run=runs/mine/lstm/1 < lines\n")
    experiment = compose(["task=mine", "conf=own"])
    assert experiment.task.title == "mine" and experiment.task.references == [] and experiment.run_name == "lstm"


@pytest.mark.parametrize(
    ("kind", "words", "first", "last"),
    [
        ("sound with a class", ["from=words", "audio=audio", "label=label"], "sound with a class", "ls *.wav | python -m"),
        ("lines in pictures", ["from=lines", "image=image", "text=text"], "lines of text in pictures", "ls *.png | python -m"),
        ("series with numbers", [*BODIES, "value=[weight,height]"], "series with several numbers", "python -m"),
    ],
)
def test_what_is_next_is_of_the_kind(
    kind: str, words: list[str], first: str, last: str, capsys: pytest.CaptureFixture[str]
) -> None:
    KINDS[kind][0](Path())
    made(*words)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"own/task/mine.yaml: {first}, with") and lines[-1].startswith(
        f"  {last} pipelines.predict run="
    )


def test_columns_of_the_usual_names_and_splits_by_their_files_are_found(place: Path) -> None:
    write_sounds(place)
    for name in ("train", "dev", "test"):
        (place / "data" / f"{name}.csv").parent.mkdir(exist_ok=True)
        (place / "data" / f"{name}.csv").write_text("text,label\na,1\n")
    corpus = made("from=data")["corpus"]
    files = {"train": "data/train.csv", "validation": "data/dev.csv", "test": "data/test.csv"}
    assert corpus["files"] == files and corpus["held_out"] is None and corpus["label"] == "label"  # pyright: ignore[reportIndexIssue]


BAD = {
    "": "the first word is the task's name, letters, digits and _, not 'nothing'",
    "a/b": "the first word is the task's name",
    "adding from=reviews.csv": "adding.yaml is there already: remove it, or give another name",
    "mine": "from is missing: give from=FILE",
    "mine from=nothing.csv": "nothing.csv is missing; from must name files or folders",
    "mine from=reviews.csv txt=body": "txt: there is no such key; there are from, conf, text, label",
    "mine from=reviews.csv": "reviews.csv has the columns body, stars: say which are which, as one of source=COLUMN",
    "mine from=reviews.csv text=body text=stars": "text is given twice",
    "mine from=reviews.csv text=bodi label=stars": "text=bodi: reviews.csv has no column 'bodi'; it has body, stars",
    "mine from=reviews.csv sequence=[t*] label=stars": "sequence=t*: reviews.csv has no column 't*'; it has body, stars",
    "mine from=semicolons.csv text=body label=star": "label=star: semicolons.csv has no column 'star'; it has body, stars",
    "mine from=rows.jsonl text=body label=star": "label=star: rows.jsonl has no column 'star'; it has body, stars",
    "mine from={de:a.conll,en:a.conll} source=de target=fr": "target=fr: a.conll has no column 'fr'; it has de, en",
    "mine from={train:a.conll,validaton:a.conll} words=1 tags=2": (
        "from.validaton: there is no such setting (the nearest is validation); in from there are dev, test, train"
    ),
    "mine from={} text=body label=stars": "from={} names no file: give from=FILE",
    "mine from={train:[]} text=body label=stars": "from={'train': []} names no file: give from=FILE",
    "mine from={train:a.conll,training:a.conll} words=1 tags=2": (
        "from has the train split twice, train and training: give its files as one list"
    ),
    "mine from=twice words=1 tags=2": (
        "twice has the train split twice, train.conll and training.txt: give from={train: FILE, test: FILE}"
    ),
    "mine from=classes": "classes has the folder train, which is the name of a split, and car, which is none",
    "mine from={Train:a.conll,Text:a.conll} words=1 tags=2": "from.Text: there is no such setting; in from there are",
    "mine from={TEST:a.conll} words=1 tags=2": "from has no train split, but TEST: give from={train: FILE} beside it",
    "mine from={train:a.conll,dev:a.conll} words=1 tags=2": "from has no test split: give its file, or leave out validation",
    "mine from=a.conll words=1 tags=4": "tags=4: a.conll has no column '4'; it has 1, 2",
    "mine from=a.conllu words=word tags=upos": "words=word: a.conllu has no column 'word'; it has id, form, lemma, upos",
    "mine from=lines image=image text=txt": "text=txt: lines has no column 'txt'; it has file_name, text, image",
}


@pytest.mark.parametrize("words", BAD)
def test_what_cannot_be_made_is_refused(words: str, place: Path) -> None:
    write_reviews(place)
    write_pictures(place)
    (place / "semicolons.csv").write_text("body;stars\na;1\n")
    (place / "rows.jsonl").write_text('{"body": "a"}\n{"body": "b", "stars": 1}\n')
    (place / "a.conll").write_text("a O\n")
    (place / "a.conllu").write_text("1\ta" + "\t_" * 8 + "\n\n")
    for folder in ("twice", "classes/car", "classes/train", "classes/__MACOSX"):
        (place / folder).mkdir(parents=True)
    for name in ("train.conll", "training.txt"):
        (place / "twice" / name).write_text("a O\n")
    with pytest.raises(ValueError, match=r"^[^\n]+$") as raised:
        new(words.split())
    assert BAD[words] in str(raised.value)


def test_columns_that_not_every_first_row_has_are_taken(place: Path) -> None:
    (place / "rows.jsonl").write_text('{"body": {"en": "a"}}\n{"body": {"en": "b"}, "stars": 1}\n')
    assert made("from=rows.jsonl", "text=body.en", "label=stars")["defaults"] == ["clinc", "_self_"]


def test_other_data_on_the_command_line_are_in_the_title_and_have_no_references_of_the_first() -> None:
    words = ["task=phonemes", "task.corpus.repository=gilkeyio/librispeech-alignments", "~task.corpus.rows"]
    task = compose(words).task
    assert task.title == "Phonemes, frame by frame: gilkeyio/librispeech-alignments" and task.references == []
    assert compose([*words, "task.title=Mine"]).task.title == "Mine"
    assert len(compose(["task=phonemes"]).task.references) == 3


def test_a_folder_of_tasks_must_be_there_and_hide_nothing(place: Path) -> None:
    with pytest.raises(ValueError, match="conf=own: there is no such folder"):
        compose(["task=adding", "conf=own"])
    (place / "own/task").mkdir(parents=True)
    (place / "own/task/adding.yaml").write_text("defaults: [nested, _self_]\n")
    with pytest.raises(ValueError, match=r"conf=own: task/adding.yaml is in conf/ too, which prevails: give it another name"):
        compose(["task=adding", "conf=own"])


def test_a_corpus_of_ones_own_is_taken_where_the_environment_names_its_package(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_reviews(place)
    made("from=reviews.csv", "text=body", "label=stars")
    (place / "shouting.py").write_text(MINE)
    monkeypatch.syspath_prepend(str(place))
    words = ["task=mine", "conf=own", "task.corpus._target_=shouting.Shouted"]
    with pytest.raises(ValueError, match=r"task.corpus._target_ must be a class of rnn_lightning, or of a package that"):
        compose(words)
    monkeypatch.setenv("RNN_LIGHTNING_CORPORA", "other,shouting")
    assert type(compose(words).task.corpus.build()).__name__ == "Shouted"
    with pytest.raises(ValueError, match=r"task.model._target_ must be a class of rnn_lightning"):
        compose(["task=mine", "conf=own", "task.model._target_=shouting.Shouted"])
    with pytest.raises(ValueError, match=r"_target_ 'shouting.Nothing' cannot be imported: module 'shouting' has no attribute"):
        compose([*words[:2], "task.corpus._target_=shouting.Nothing"])
    for target, said in (("run", "must be a class, not"), ("Path", "is no corpus: name a class that derives from")):
        with pytest.raises(ValueError, match=said):
            compose([*words[:2], f"task.corpus._target_=shouting.{target}"]).task.corpus.build()
    assert not (place / "called").exists()


def test_the_page_shows_what_is_typed_for_every_kind() -> None:
    from test_own_tasks import TYPED

    cells = re.findall(r"`([^`|]*from=[^`]+)`", (ROOT / "docs/own-data.md").read_text().partition("### Splits")[0])
    shown = [read_arguments(["mine", *shlex.split(cell)])[1] for cell in cells if "new" not in cell]
    assert len(shown) >= len(TYPED) and all("from" in keys for keys in shown)
    assert {keys["from"] for keys in shown if isinstance(keys["from"], str)} >= {
        words[0].removeprefix("from=") for words, _ in TYPED.values() if words[0].startswith("from=") and "{" not in words[0]
    }


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_task_that_is_like_it(kind: str, place: Path) -> None:
    from test_own_tasks import TYPED

    write, corpus, settings = KINDS[kind]
    write(place)
    made(*TYPED[kind][0])
    experiment = compose(["task=mine", "conf=own"])
    assert experiment.task.corpus.target == f"rnn_lightning.corpora.{corpus}"
    given = experiment.task.corpus.model_extra or {}
    columns = settings.keys() - {"files", "spectra", "height", "level", "end_of_line"}
    assert {key: given[key] for key in columns} == {key: settings[key] for key in columns}
