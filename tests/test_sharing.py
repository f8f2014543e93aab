"""Shared models: folders of safetensors and plain settings, on this machine and on the Hub, answer as what was saved."""

import contextlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import torch
from calls import GRU, SYSTEMS
from model_hub import ModelHub, serving
from run_folders import own_place, store_values
from test_export import MORE
from test_predictor_folders import Payload

import rnn_lightning as library
from pipelines.predict import reader
from pipelines.share import share
from pipelines.tracking.serving import model_of_run
from rnn_lightning import System, load_predictor, models
from rnn_lightning.export import export_run
from rnn_lightning.export.graphs import batches
from rnn_lightning.files import SUMS, check_sums, read_json, write_json
from rnn_lightning.recurrent import build_network

ITEM = "[[0.5, 1], [0.25, 0], [0.75, 1]]"
MODELS = {name: (build, arguments) for name, (build, arguments) in SYSTEMS.items()}
MODELS |= {name: (getattr(library, build.__name__), arguments) for name, (_, build, arguments) in MORE.items()}


def made(name: str) -> System:
    torch.manual_seed(0)
    build, arguments = MODELS[name]
    return build(**arguments).eval()


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A saved tagger."""
    made("Tagger").save_pretrained(tmp_path / "tagger")
    return tmp_path / "tagger"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A Hub of nothing, with a cache of nothing."""
    with serving() as address:
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", address)
        files = f"{address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", files)
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("HF_TOKEN", "hf_none")
        yield address


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The run of a network from arrays to a value."""
    with own_place(tmp_path_factory.mktemp("place")):
        yield store_values(Path("runs/adding/lstm/1"))


@pytest.mark.parametrize("name", MODELS)
@torch.no_grad()
def test_what_is_loaded_answers_to_the_bit_as_what_was_saved(name: str, tmp_path: Path) -> None:
    system = made(name)
    system.save_pretrained(tmp_path / "there")
    check_sums(tmp_path / "there", again="")
    read = type(system).from_pretrained(tmp_path / "there")
    model = getattr(models, type(system).__name__).from_pretrained(str(tmp_path / "there"))
    assert not read.training and json.dumps(read.hparams) == json.dumps(system.hparams)
    for inputs, lengths in batches(system):
        expected = system(inputs, lengths)[0]
        assert all(torch.equal(each(inputs, lengths)[0], expected) for each in (read, model))


def test_a_folder_is_saved_to_once_more_and_keeps_what_is_beside(saved: Path) -> None:
    (saved / "README.md").write_text("my own card")
    other = library.Tagger(7, 3, GRU)
    other.save_pretrained(saved)
    assert torch.equal(library.Tagger.from_pretrained(saved).embedding.weight, other.embedding.weight)
    assert (saved / "README.md").read_text() == "my own card"


def test_a_network_that_is_no_keywords_is_not_saved(tmp_path: Path) -> None:
    model = library.SequenceClassifier(build_network("gru", 3, 4), 3, num_classes=2)
    with pytest.raises(ValueError, match="rnn of this SequenceClassifier was given as a Recurrent: build it by keywords"):
        model.save_pretrained(tmp_path / "there")
    assert not (tmp_path / "there").exists()


CONFIGS: dict[str, tuple[dict[str, Any], str]] = {
    "another key": ({"auto_map": {"AutoModel": "code.py"}}, "must have model and arguments, and nothing else: 'auto_map'"),
    "another class": ({"model": "Forecaster"}, "is of a Forecaster, not of a Tagger"),
    "no name": ({"model": 3}, "model of .* must be text, not 3"),
    "no object": ({"arguments": [1]}, r"arguments of .* must be an object, not \[1\]"),
    "foreign argument": ({"arguments": {"architectures": ["Bert"]}}, "there is no setting 'architectures'"),
    "missing argument": ({"arguments": {"rnn": None}}, "needs "),
    "wrong type": ({"arguments": {"vocab_size": "7"}}, "vocab_size must be a whole number of at least 1, not '7'"),
    "wrong network": ({"arguments": {"rnn": {**GRU, "cell": "os.system"}}}, "which may not be imported"),
    "another size": ({"arguments": {"vocab_size": 8}}, "does not hold the weights that its settings say"),
    "far too large": ({"arguments": {"embedding_size": 2**31}}, "config.json, Tagger: "),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_settings_that_do_not_fit_are_one_line(name: str, saved: Path) -> None:
    changes, message = CONFIGS[name]
    config = read_json(saved / "config.json")
    if isinstance(changes.get("arguments"), dict):
        kept = {} if name == "missing argument" else config["arguments"]
        changes = {"arguments": kept | changes["arguments"]}
    (saved / SUMS).unlink()
    write_json(saved / "config.json", config | changes)
    with pytest.raises(ValueError, match=message) as error:
        library.Tagger.from_pretrained(saved)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("value", [None, "x", -1, 1.5, [], {}, True], ids=repr)
def test_no_argument_of_another_type_ends_in_another_error(value: object, saved: Path) -> None:
    (saved / SUMS).unlink()
    config = read_json(saved / "config.json")
    for name in config["arguments"]:
        write_json(saved / "config.json", config | {"arguments": config["arguments"] | {name: value}})
        with contextlib.suppress(ValueError):  # what is left may fit
            library.Tagger.from_pretrained(saved)


@pytest.mark.parametrize("listed", [True, False], ids=["with hashes", "without"])
@pytest.mark.parametrize("damage", ["truncated", "empty", "a pickle"])
def test_damaged_weights_are_one_line_and_run_no_code(
    damage: str, listed: bool, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(saved)
    file = saved / "model.safetensors"
    if damage == "a pickle":
        torch.save({"state_dict": Payload()}, file)
    else:
        file.write_bytes(file.read_bytes()[:-7] if damage == "truncated" else b"")
    if not listed:
        (saved / SUMS).unlink()
    with pytest.raises(ValueError, match=r"model\.safetensors is damaged") as error:
        library.Tagger.from_pretrained(saved)
    assert "\n" not in str(error.value) and not (saved / "executed").exists()


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_pickle_is_not_read_in_place_of_a_missing_file(name: str, saved: Path) -> None:
    (saved / name).rename(saved / "pytorch_model.bin")
    with pytest.raises(FileNotFoundError, match=f"has no {name}: give the folder of a model"):
        library.Tagger.from_pretrained(saved)


def test_a_checkpoint_beside_shared_weights_is_not_read(run: Path, tmp_path: Path) -> None:
    export_run(run, tmp_path / "there", "safetensors")
    torch.save({"state_dict": Payload()}, tmp_path / "there" / "model.ckpt")
    assert load_predictor(tmp_path / "there")([ITEM]) == load_predictor(run)([ITEM])


def test_an_edited_card_damages_nothing_and_a_damaged_vocabulary_does(run: Path, tmp_path: Path) -> None:
    export_run(run, tmp_path / "there", "safetensors")
    (tmp_path / "there" / "README.md").write_text("edited")
    assert load_predictor(tmp_path / "there")([ITEM]) == load_predictor(run)([ITEM])
    (tmp_path / "there" / "predictor.json").write_text("{}")
    with pytest.raises(ValueError, match=r"predictor\.json is damaged"):
        load_predictor(tmp_path / "there")


def test_a_system_goes_to_the_hub_and_comes_back(hub: str) -> None:
    first, second = made("SequenceClassifier"), made("SequenceClassifier")
    torch.nn.init.zeros_(second.network.parameters().__next__())
    address = first.push_to_hub("tiny/classifier", private=True)
    assert address.startswith(f"{hub}/tiny/classifier/commit/") and ModelHub.private == {"tiny/classifier": True}
    second.push_to_hub("tiny/classifier", revision="v2")
    assert set(ModelHub.branches["tiny/classifier"]["main"]) == {"README.md", SUMS, "config.json", "model.safetensors"}
    for revision, expected in ((None, first), ("v2", second), (address.rpartition("/")[2], first)):
        read = library.SequenceClassifier.from_pretrained("tiny/classifier", revision=revision)
        assert all(torch.equal(one, other) for one, other in zip(read.parameters(), expected.parameters(), strict=True))


def test_code_and_pickles_are_not_downloaded(hub: str) -> None:
    made("SequenceClassifier").push_to_hub("tiny/classifier")
    ModelHub.branches["tiny/classifier"]["main"] |= {"modeling.py": b"1/0", "pytorch_model.bin": b"x", "model.ckpt": b"x"}
    library.SequenceClassifier.from_pretrained("hub:tiny/classifier@main")
    assert not [path for path in ModelHub.asked if path.endswith((".py", ".bin", ".ckpt"))]


def test_a_public_repository_does_not_pass_for_a_private_one(hub: str) -> None:
    made("SequenceClassifier").push_to_hub("tiny/classifier")
    with pytest.raises(ValueError, match="tiny/classifier: it is public there, not private"):
        made("SequenceClassifier").push_to_hub("tiny/classifier", private=True)


PLACES = {
    "tiny/nothing": (ValueError, "tiny/nothing: the Hub has no such model"),
    "hub:tiny/classifier@v9": (ValueError, "tiny/classifier at v9: there is no such revision"),
    "hub:classifier": (
        ValueError,
        "a model on the Hub is named OWNER/NAME, .* not 'classifier'",
    ),
    "a/b/c": (FileNotFoundError, "a/b/c is no folder, and no OWNER/NAME of a model on the Hub"),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_place_that_there_is_not_is_one_line(place: str, hub: str) -> None:
    made("SequenceClassifier").push_to_hub("tiny/classifier")
    kind, message = PLACES[place]
    with pytest.raises(kind, match=message) as error:
        library.SequenceClassifier.from_pretrained(place)
    assert "\n" not in str(error.value)


def test_without_a_network_the_cache_answers_or_one_line(tmp_path: Path, hub: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made("SequenceClassifier").push_to_hub("tiny/classifier")
    library.SequenceClassifier.from_pretrained("tiny/classifier")
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    library.SequenceClassifier.from_pretrained("tiny/classifier")
    with pytest.raises(ValueError, match="tiny/other: the Hub cannot be reached"):
        library.SequenceClassifier.from_pretrained("tiny/other")


def test_a_run_is_shared_and_predicted_by_from_the_hub(run: Path, hub: str, capsys: pytest.CaptureFixture[str]) -> None:
    share([f"run={run}", "to=tiny/adding", "revision=v1"])
    assert "Next: `rnn predict run=hub:tiny/adding@v1`" in capsys.readouterr().out
    (expected,) = load_predictor(run)([ITEM])
    assert load_predictor("hub:tiny/adding@v1")([ITEM]) == [expected]
    (line,) = reader({"run": "hub:tiny/adding@v1"}).answer(io.BytesIO(ITEM.encode()))
    assert line == expected["text"]


def test_a_shared_folder_is_served(run: Path, tmp_path: Path) -> None:
    export_run(run, tmp_path / "there", "safetensors")
    with model_of_run(tmp_path / "there", {}) as model:
        assert model.predict([ITEM]) == load_predictor(run)([ITEM])


def test_what_does_not_load_is_not_shared(run: Path, tmp_path: Path, hub: str) -> None:
    export_run(run, tmp_path / "there", "safetensors")
    (tmp_path / "there" / "model.safetensors").write_bytes(b"short")
    with pytest.raises(ValueError, match=r"model\.safetensors is damaged"):
        share([f"run={tmp_path / 'there'}", "to=tiny/adding"])
    with pytest.raises(ValueError, match="a model on the Hub is named OWNER/NAME"):
        share([f"run={run}", "to=adding"])
    assert not ModelHub.branches
