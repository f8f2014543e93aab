"""What a run's folder may say to a predictor: files of its own, settings that fit, a checkpoint that is whole."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit

from pipelines.predict import reader
from rnn_lightning import AtomicCheckpointIO, Seq2Seq, load_predictor
from rnn_lightning.files import write_sums
from rnn_lightning.items.folders import CHECKPOINT, DESCRIBED, DESCRIPTION
from rnn_lightning.items.inputs import INPUTS, make_inputs
from rnn_lightning.predictors import PREDICTORS

WHOLE: dict[str, Any] = {
    "predictor": "translation",
    "files": ["tokenizer.json"],
    "tokenizer": "tokenizer.json",
    "target_tokenizer": "tokenizer.json",
    "search": {"beam_size": 2},
}
WRONG = [
    ({"tokenizer": "../outside.json"}, "files of its own folder, not '../outside.json'"),
    ({"target_tokenizer": "/etc/passwd"}, "files of its own folder, not '/etc/passwd'"),
    ({"tokenizer": 3}, "files of its own folder, not 3"),
    ({"tokenizer": None}, "files of its own folder, not None"),
    ({"tokenizer": ".."}, "files of its own folder, not '..'"),
    ({"files": ["../../etc/passwd"]}, "files of its own folder, not '../../etc/passwd'"),
    ({"files": "tokenizer.json"}, "must be a list of names"),
    ({"predictor": ["translation"]}, "predictor of .* must be one of"),
    ({"predictor": "os.system"}, "predictor of .* must be one of"),
    ({"predictor": "classification"}, "no checkpoint of SequenceClassifier"),
    ({"predictor": "classification", "inputs": 3}, "no checkpoint of SequenceClassifier"),
    ({"predictor": "language", "inputs": {"name": ["tokens"]}}, r"model\.ckpt is no checkpoint of LanguageModel: unit must be"),
    ({"predictor": "language"}, "must have settings under 'inputs', not None"),
    ({"search": 3}, "must have settings under 'search', not 3"),
    ({"search": {"beam_size": "x"}}, "beam_size must be a whole number of at least 1, not 'x'"),
    ({"search": {"beam_size": 0}}, "beam_size must be a whole number of at least 1, not 0"),
    ({"search": {"beam_size": 10**8}}, "beam_size must be a whole number of 1 to 100000, not 100000000"),
    ({"beam_size": 5}, r"predictor\.json has predictor, files, tokenizer, target_tokenizer, search, and no 'beam_size'"),
    ({"predictor": "translation", "inputs": {}}, "and no 'inputs'"),
    ({"predictor": "regression", "lexicon": "a.json"}, "has predictor, files, inputs, value, and no 'lexicon'"),
    ({"predictor": "tagging", "scheme": "BIO"}, "has predictor, files, lexicon, and no 'scheme'"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(1)
    model = Seq2Seq(4, 4, {"cell": "gru", "hidden_size": 3}, end=2, embedding_size=3)
    checkpoint = {
        "state_dict": model.state_dict(),
        "hyper_parameters": dict(model.hparams),
        "pytorch-lightning_version": "2.6.6",
    }
    run = tmp_path / "run"
    AtomicCheckpointIO().save_checkpoint(checkpoint, run / CHECKPOINT)
    tokenizer = Tokenizer(WordLevel({"a": 0, "b": 1, "<eos>": 2, "<unk>": 3}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = WhitespaceSplit()  # pyright: ignore[reportAttributeAccessIssue]
    for file in (run / "tokenizer.json", tmp_path / "outside.json"):
        tokenizer.save(str(file))
    (run / DESCRIPTION).write_text(json.dumps(WHOLE))
    write_sums(run)
    return run


def test_a_whole_folder_is_a_predictor(folder: Path) -> None:
    assert [set(answer) for answer in load_predictor(folder)(["a b", ""])] == [{"text", "score"}, {"text"}]


@pytest.mark.parametrize(("changes", "message"), WRONG)
def test_a_description_that_does_not_fit_is_refused(folder: Path, changes: dict[str, Any], message: str) -> None:
    kept = {"files": WHOLE["files"]} if "predictor" in changes else WHOLE
    (folder / DESCRIPTION).write_text(json.dumps(kept | changes))
    write_sums(folder)
    with pytest.raises(ValueError, match=message):
        load_predictor(folder)


@pytest.mark.parametrize("name", sorted(INPUTS))
def test_inputs_with_a_setting_that_nothing_reads_are_refused(folder: Path, name: str) -> None:
    more = {"text": {"tokenizer": "tokenizer.json"}, "strokes": {"spacing": 0.1}}.get(name, {})
    with pytest.raises(ValueError, match=rf"inputs '{name}' of .* have settings that do not fit: .*'volume'"):
        make_inputs({"name": name, "volume": 11, **more}, folder, 4)


def test_every_predictor_has_the_keys_of_its_description() -> None:
    assert set(DESCRIBED) == set(PREDICTORS)


@pytest.mark.parametrize("content", [b"", b"garbage", None], ids=["empty", "garbage", "one bit"])
def test_a_damaged_checkpoint_is_refused(folder: Path, content: bytes | None) -> None:
    file = folder / CHECKPOINT
    if content is None:
        flipped = bytearray(file.read_bytes())
        flipped[flipped.index(torch.load(file, weights_only=True)["state_dict"]["embedding.weight"].numpy().tobytes()[:8])] ^= 1
        content = bytes(flipped)
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"model\.ckpt is damaged"):
        load_predictor(folder)


@pytest.mark.parametrize("content", [{"a": 1}, torch.zeros(2), [1]], ids=["other keys", "a tensor", "a list"])
def test_what_is_no_checkpoint_of_the_system_is_refused(folder: Path, content: object) -> None:
    torch.save(content, folder / CHECKPOINT)
    write_sums(folder)
    with pytest.raises(ValueError, match=r"model\.ckpt is no checkpoint of Seq2Seq"):
        load_predictor(folder)


class Payload:
    """What a hostile checkpoint would run."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, ("executed",)


def test_a_hostile_checkpoint_runs_no_code(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    torch.save({"state_dict": Payload()}, folder / CHECKPOINT)
    write_sums(folder)
    with pytest.raises(ValueError, match=r"model\.ckpt is no checkpoint of Seq2Seq"):
        load_predictor(folder)
    assert not (folder / "executed").exists()


@pytest.mark.parametrize("content", ["{", "{}", "root:x:0:0"])
def test_a_damaged_tokenizer_is_refused(folder: Path, content: str) -> None:
    (folder / "tokenizer.json").write_text(content)
    write_sums(folder)
    with pytest.raises(ValueError, match=r"tokenizer\.json is no tokenizer"):
        load_predictor(folder)


@pytest.mark.parametrize("size", [0, -1])
def test_a_beam_of_nothing_is_refused_on_the_command_line(folder: Path, size: int) -> None:
    with pytest.raises(ValueError, match=f"beam_size must be a whole number of at least 1, not {size}"):
        reader({"run": str(folder), "beam_size": size})


@pytest.mark.parametrize(("option", "value"), [("max_length", -5), ("diversity", float("inf")), ("patience", 0), ("groups", 3)])
def test_an_option_of_a_search_is_checked_before_the_first_line(folder: Path, option: str, value: float) -> None:
    with pytest.raises(ValueError, match=option):
        reader({"run": str(folder), option: value})
