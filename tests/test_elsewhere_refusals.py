"""What a trained model is not measured on, in one line each; and the classes that it does not know, by hand."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from corpora import write_fetched
from run_folders import run_by_stages
from tokenizers import Tokenizer

from pipelines.compare import compare
from pipelines.evaluate import main
from pipelines.measuring.elsewhere import measure_elsewhere
from pipelines.measuring.widening import wider_field
from pipelines.settings.compose import CONF, compose
from rnn_lightning.corpora.corpus import RawSplit
from rnn_lightning.corpora.elsewhere import Known, encode_text, encode_transcripts
from rnn_lightning.corpora.reading import Examples, concatenate
from rnn_lightning.corpora.vocabulary import learn_tokenizer
from rnn_lightning.crf import LinearChainCRF
from rnn_lightning.files import write_sums
from rnn_lightning.tag_schemes import span_constraints

ADDING = ["task=adding", "task.corpus.rows={train: 60, validation: 20, test: 30}", "task.corpus.steps=6"]
ADDING += ["task.parameters=300", "task.training.epochs=1", "task.training.validate_every=null", "name=small"]
RUN = "run=runs/adding/lstm-small/1"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The place of a run, with data of other tasks."""
    folder = tmp_path_factory.mktemp("place")
    with run_by_stages(folder, ADDING):
        for words in (["task=nested"], ["task=japanese_vowels"]):
            other = compose(words)
            if words == ["task=nested"]:
                other.task.corpus.build().fetch(other.raw())
            else:
                columns = {"sequence": [[[1.0, 2.0, 3.0]]], "label": ["a"]}
                write_fetched(other.raw(), {"test": columns}, other.task.corpus.build().spec())
        (folder / "mine/task").mkdir(parents=True)
        (folder / "mine/loose.yaml").write_text("defaults: [adding]\n")
        (folder / "mine/task/adding.yaml").write_text("defaults: [nested]\n")
        yield folder


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([RUN], "run=FOLDER and on=TASK go together, such as run=runs/ewt/bilstm/1 on=sequoia"),
        (["on=nested"], "run=FOLDER and on=TASK go together"),
        (["run=runs/adding/gru/1", "on=adding"], "runs/adding/gru/1 does not exist: give the folder of an evaluated run"),
        (
            ["run=trained/adding/lstm-small/1", "on=adding"],
            "trained/adding/lstm-small/1 has a training that is not evaluated: `rnn evaluate`",
        ),
        ([RUN, "on=nothing"], "on must be one of .*, not 'nothing'; of a file of your own give .../task/nothing.yaml"),
        ([RUN, "on=mine/nothing.yaml"], "on=mine/nothing.yaml: there is no such file"),
        ([RUN, "on=mine/loose.yaml"], "a task file lies in a folder named task: move it to .*/mine/task/loose.yaml"),
        ([RUN, "on=mine/task/adding.yaml"], "conf/task has a task adding too: give the file another name"),
        ([RUN, "on=dates"], "data/raw/dates has no data: `python -m pipelines.fetch task=dates` first"),
        (
            [RUN, "on=nested"],
            "on=nested has running text, and runs/adding/lstm-small/1 reads rows with a value: name such a task",
        ),
        ([RUN, "on=japanese_vowels"], "on=japanese_vowels has rows with a class, and .* reads rows with a value"),
        ([RUN, "on=adding"], r"data/raw/adding/source.json has steps 6, not \d+; fetch the corpus again"),
        ([RUN, "on=adding", "on=nested"], "on is given twice"),
        ([RUN, "on=adding", "task.corpus.stepz=6"], "task.corpus.stepz: there is no such setting"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_one_line(place: Path, words: list[str], said: str) -> None:
    with pytest.raises((ValueError, FileNotFoundError), match=said):
        measure_elsewhere(words)
    assert not (place / "measured/adding/lstm-small/1").exists()


def test_a_task_of_the_folder_conf_is_known_by_its_name(place: Path, tmp_path: Path) -> None:
    (tmp_path / "own/task").mkdir(parents=True)
    (tmp_path / "own/task/exam.yaml").write_text("defaults: [adding, _self_]\ntitle: An exam\n")
    with pytest.raises(ValueError, match=f"`python -m pipelines.fetch task=exam conf={tmp_path}/own` first"):
        measure_elsewhere([RUN, "on=exam", f"conf={tmp_path}/own"])
    with pytest.raises(ValueError, match=r"on must be one of .*exam"):
        measure_elsewhere([RUN, "on=exams", f"conf={tmp_path}/own"])


def test_the_command_ends_in_one_line(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([RUN, "on=dates"])
    (line,) = capsys.readouterr().err.splitlines()
    assert ended.value.code == 2 and line.startswith("error: data/raw/dates has no data")


def test_what_was_measured_with_other_weights_is_told_and_left_out(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    measure_elsewhere([RUN, "on=adding", *ADDING[1:3]])
    (folder,) = Path("measured/adding/lstm-small/1").iterdir()
    facts = folder / "measured.json"
    facts.write_text(facts.read_text().replace('"weights": "', '"weights": "0'))
    write_sums(folder)
    (section,) = compare(Path("runs"), Path("reports"), conf=CONF, data=Path("data"), tasks=["adding"])
    shutil.rmtree("measured")
    assert not section.measured and f"{folder} was measured with other weights than the run has" in capsys.readouterr().err


def test_characters_without_a_token_are_left_out_and_counted(tmp_path: Path) -> None:
    learn_tokenizer(["abc\n", "cab\n"], "character", None, False).save(str(tmp_path / "tokenizer.json"))
    encoded = encode_text(RawSplit("text", ["xa\nb", "x!c"]), Known(tmp_path))
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert tokenizer.decode(encoded.split.inputs.tolist()) == "a\nbc"
    assert encoded.unknown == {"!": 1, "x": 2}


def test_labels_that_a_recognizer_does_not_have_are_one_of_their_own() -> None:
    raw = RawSplit("transcripts", Examples(concatenate([torch.zeros(4, 2).numpy()] * 2), ["abz", "yz"]))
    encoded = encode_transcripts(raw, Known(Path(), ["<blank>", "a", "b"]))
    assert encoded.card["labels"] == ["<blank>", "a", "b", "<unknown>"] and encoded.added == ["<unknown>"]
    assert encoded.split.targets.tolist() == [1, 2, 3, 3, 3] and encoded.unknown == {"y": 1, "z": 2}
    again = encode_transcripts(raw, Known(Path(), encoded.card["labels"]))
    assert not again.added and again.split.targets.tolist() == encoded.split.targets.tolist()
    with pytest.raises(ValueError, match=r"no label that the model knows: it has 'a', 'b', 'y', 'z', the model '<blank>', 'q'"):
        encode_transcripts(raw, Known(Path(), ["<blank>", "q"]))


@pytest.mark.parametrize("scheme", [None, "BIO"])
def test_a_field_with_more_tags_decodes_and_scores_as_before(scheme: str | None) -> None:
    torch.manual_seed(1)
    constraints = span_constraints(["B-X", "I-X", "O"], scheme) if scheme else None
    field = LinearChainCRF(3, constraints)
    for part in field.parameters():
        torch.nn.init.normal_(part)
    emissions, lengths, tags = torch.randn(4, 6, 3), torch.tensor([6, 3, 1, 5]), torch.zeros(4, 6, dtype=torch.int64)
    wide, wider = wider_field(field, 2), torch.cat([emissions, torch.full((4, 6, 2), -torch.inf)], 2)
    torch.testing.assert_close(wide.decode(wider, lengths).tags, field.decode(emissions, lengths).tags)
    torch.testing.assert_close(wide.log_likelihood(wider, tags, lengths), field.log_likelihood(emissions, tags, lengths))
    tags[1, 0] = 4
    assert wide.log_likelihood(wider, tags, lengths).isneginf().tolist() == [False, True, False, False]
