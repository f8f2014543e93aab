"""Fine-tuning: what is loaded from a run and what is refused, what stays frozen, and what the record says of it."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from beginnings import SIZES, begun, card_of, experiment_of, system_on, weights
from run_folders import own_place, store_run, trained_in
from tokenizers import Tokenizer

from pipelines.kinds import kind_of
from pipelines.runs.initial import source_of
from pipelines.runs.provenance import key_of
from pipelines.settings.compose import compose
from pipelines.settings.schema import Experiment
from pipelines.training.building import build_system
from pipelines.training.initial import begin_from, of_other_networks
from rnn_lightning import AtomicCheckpointIO, System
from rnn_lightning.files import read_json, sha256, write_sums
from rnn_lightning.models.checkpoints import read_checkpoint


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trainings of a value and of tags; the latter with what its predictor reads, as an evaluation leaves it."""
    place = tmp_path_factory.mktemp("initial")
    for task in ("adding", "foresight"):
        with trained_in(place, task=task) as trained:
            shutil.copytree(trained, place / "runs" / task)
            experiment = experiment_of(task)
            kind_of(experiment).write_predictor(experiment, card_of(experiment), place / "runs" / task)
    return place


def test_a_training_begins_with_the_weights_and_the_record_says_whose(place: Path) -> None:
    source = weights(place / "runs/adding")
    still = ["init_from=runs/adding", "task.model.optimizer={name: sgd, lr: 1e-30}"]
    with trained_in(place, *still) as folder:
        training, made = read_json(folder / "training.json"), weights(folder)
    assert all(torch.equal(value, source[name]) for name, value in made.items())
    known = {"task": "adding", "rnn": "gru", "seed": 1, "commit": training["commit"]}
    assert training["init_from"] == {"place": "runs/adding", "weights": sha256(place / "runs/adding/model.ckpt"), **known}
    assert training["initial"] == {"loaded": len(source), "left": {}} and training["config"]["init_from"] == "runs/adding"


def test_frozen_parts_stay_and_the_others_learn(place: Path) -> None:
    source = weights(place / "runs/adding")
    with trained_in(place, "init_from=runs/adding", "freeze=[network]") as folder:
        made, training = weights(folder), read_json(folder / "training.json")
    for name, value in made.items():
        assert torch.equal(value, source[name]) == name.startswith("network."), name
    assert training["frozen_parameters"] == sum(value.numel() for name, value in made.items() if name.startswith("network."))
    assert training["parameters"] == sum(value.numel() for value in made.values()), "what is frozen is part of the network"
    with own_place(place):
        for parts, said in {"[net]": "freeze must be one of network, ", "[network, output]": "leaves nothing to train"}.items():
            with pytest.raises(ValueError, match=said):
                begun("adding", f"freeze={parts}")


def test_of_one_weight_it_is_said_so(place: Path) -> None:
    with own_place(place), pytest.raises(ValueError, match=r"runs/adding: 1 weight does not fit: \S+ is not in it; "):
        begun("adding", "init_from=runs/adding", "+task.rnn.initial_state=learned")


def test_what_does_not_fit_is_named_and_refused_or_left_out(place: Path) -> None:
    with own_place(place):
        larger = ["init_from=runs/adding", "task.rnn.hidden_size=5"]
        with pytest.raises(
            ValueError, match=r"5 weights do not fit: network\S+ has shape \(12, 2\) there and \(15, 2\) here; .*partial=true"
        ):
            begun("adding", *larger)
        made, done = begun("adding", *larger, "init_from_partial=true")
        assert torch.equal(made["output.bias"], weights(place / "runs/adding")["output.bias"])
        assert done["initial"]["loaded"] == 1 and done["initial"]["left"].keys() == made.keys() - {"output.bias"}
        with pytest.raises(ValueError, match="is not in it"):
            begun("adding", "init_from=runs/foresight")
        for words, said in ((["init_from=runs/none"], "no model.ckpt or"), (["init_from_partial=true"], "no effect without")):
            with pytest.raises((ValueError, FileNotFoundError), match=said):
                begun("adding", *words)


def test_rows_are_those_of_the_same_words_and_tags(place: Path) -> None:
    source, seen = weights(place / "runs/foresight"), read_json(place / "runs/foresight/lexicon.json")
    with own_place(place):
        made, done = begun("foresight", "init_from=runs/foresight")
        assert all(torch.equal(value, source[name]) for name, value in made.items()) and "rows" not in done["initial"]
        other = place / "runs/other"
        shutil.copytree(place / "runs/foresight", other)
        words = ["another", *seen["words"][:2:-1], "more"]  # of other order, without three
        checkpoint = read_checkpoint(other / "model.ckpt")
        table = torch.randn(1 + len(words), source["embedding.weight"].shape[1])
        checkpoint["state_dict"]["embedding.weight"] = table
        AtomicCheckpointIO().save_checkpoint(checkpoint, other / "model.ckpt")
        write_lexicon(other, seen | {"words": words, "tags": seen["tags"][::-1]})
        made, done = begun("foresight", "init_from=runs/other")
        drawn, _ = begun("foresight")
    theirs, rows = ["<unk>", *words], made["embedding.weight"]
    for number, word in enumerate(["<unk>", *seen["words"]]):
        expected = table[theirs.index(word)] if word in theirs else drawn["embedding.weight"][number]
        assert torch.equal(rows[number], expected), word
    assert torch.equal(made["emissions.weight"], source["emissions.weight"].flip(0))
    assert torch.equal(made["emissions.bias"], source["emissions.bias"].flip(0))
    counts = {"taken": len(seen["words"]) - 3 + 1, "anew": 3}
    told_of = {"tags": {"taken": len(seen["tags"]), "anew": 0}, "words": counts}
    assert done["initial"] == {"loaded": len(source), "left": {}, "rows": told_of}


def test_other_tags_are_asked_for(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, seen = weights(place / "runs/foresight"), read_json(place / "runs/foresight/lexicon.json")
    with own_place(place):
        other = place / "runs/tags"
        shutil.copytree(place / "runs/foresight", other)
        write_lexicon(other, seen | {"tags": ["another", *seen["tags"][1:]]})
        many = len(seen["tags"])
        part = rf"init_from_partial=true takes {len(source)} weights, {many - 1} of {many} tags$"
        with pytest.raises(
            ValueError,
            match=rf"init_from=runs/tags: tags are \['{seen['tags'][0]}'\] here alone and \['another'\] there alone; {part}",
        ):
            begun("foresight", "init_from=runs/tags")
        made, done = begun("foresight", "init_from=runs/tags", "init_from_partial=true")
        said, (drawn, _) = capsys.readouterr().err, begun("foresight")
        write_lexicon(other, seen | {"words": ["of", "no", "use"]})
        with pytest.raises(ValueError, match=r"embedding.weight belongs to other words"):
            begun("foresight", "init_from=runs/tags")
    assert torch.equal(made["emissions.weight"][1:], source["emissions.weight"][1:])
    assert torch.equal(made["emissions.weight"][0], drawn["emissions.weight"][0])
    counts = {"taken": len(seen["tags"]) - 1, "anew": 1}
    assert done["initial"]["rows"] == {"tags": counts}
    taken = f"{len(source)} weights are taken"
    assert said == f"init_from=runs/tags: {taken}; {many - 1} of {many} tags are taken, 1 begins anew\n"


def write_lexicon(folder: Path, lexicon: dict[str, Any]) -> None:
    (folder / "lexicon.json").write_text(json.dumps(lexicon))
    write_sums(folder)


def system_of(experiment: Experiment, lines: list[str]) -> System:
    """A new system on a corpus of these two ``lines``, which takes the place of the one before."""
    return system_on(experiment, {"text": lines, "intent": ["on", "oos"]})


def test_texts_of_another_corpus_take_the_rows_of_their_words(tmp_path: Path) -> None:
    with own_place(tmp_path):
        experiment = compose(["task=clinc", "rnn=gru", "init_from=runs/one", "++task.corpus.min_frequency=1", *SIZES])
        system = system_of(experiment, ["turn the light on", "what time is it"])
        store_run(tmp_path / "runs/one", experiment, system, card_of(experiment))
        system = system_of(experiment, ["what light is the best", "turn it off please"])
        done = begin_from(experiment, card_of(experiment), system)["initial"]
        source, made = weights(tmp_path / "runs/one"), system.state_dict()
        files = (folder / "tokenizer.json" for folder in (Path("runs/one"), experiment.processed()))
        there, here = (Tokenizer.from_file(str(file)).get_vocab() for file in files)
    both = there.keys() & here.keys()
    assert {"what", "light", "is", "the", "turn", "it"} <= both and "best" not in both
    assert done["rows"] == {"tokens": {"taken": len(both), "anew": len(here) - len(both)}} and not done["left"]
    for word in both:
        assert torch.equal(made["embedding.weight"][here[word]], source["embedding.weight"][there[word]])
    assert torch.equal(made["output.weight"], source["output.weight"])


def test_a_training_that_is_not_evaluated_is_refused_and_bad_parts_first(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(place / "runs/adding", tmp_path / "trained/adding")
    for name in ("predictor.json", "SHA256SUMS"):
        (tmp_path / "trained/adding" / name).unlink(missing_ok=True)
    write_sums(tmp_path / "trained/adding")
    source = weights(place / "runs/adding")
    with own_place(place):
        with pytest.raises(ValueError, match="has a training that is not evaluated: `rnn evaluate` with its settings makes"):
            begun("adding", f"init_from={tmp_path}/trained/adding")
        experiment = experiment_of("adding", "init_from=runs/adding", "freeze=[networ]")
        system = build_system(experiment, card_of(experiment), planned=10)
        with pytest.raises(ValueError, match="freeze must be one of network, "):
            begin_from(experiment, card_of(experiment), system)
    assert not capsys.readouterr().err
    assert not torch.equal(system.state_dict()["output.weight"], source["output.weight"])


@pytest.mark.parametrize("more", ["zoneout=0.2", "weight_drop=0.2", "recurrent_dropout=0.2"])
def test_what_wraps_a_layer_takes_its_weights_and_another_cell_does_not(place: Path, more: str) -> None:
    with own_place(place):
        made, done = begun("adding", "init_from=runs/adding", f"+task.rnn.{more}")
        assert not done["initial"]["left"] and done["initial"]["loaded"] == len(made)
        with pytest.raises(ValueError, match=r"weights do not fit: network\S+ is of the cell gru there, of lstm here"):
            begun("adding", "init_from=runs/adding", "rnn.cell=lstm", f"+task.rnn.{more}")


def test_what_is_thinned_out_otherwise_is_read_otherwise() -> None:
    own = ["subsampling.layers.0.weight", "network.core.weight_ih_l0"]
    here, there = ({"rnn": {"cell": "gru"}, "subsampling": {"name": "pictures", "pool": pool}} for pool in ([2, 2], [4, 1]))
    assert of_other_networks(own, here, {**here}) == {}
    (left,) = of_other_networks(own, here, there).items()
    assert left == (own[0], f"is of the subsampling {there['subsampling']} there, of {here['subsampling']} here")


def test_other_initial_weights_are_another_training(place: Path) -> None:
    with own_place(place):
        experiment = experiment_of("adding", "init_from=runs/adding")
        facts = {"config": experiment.plain(1), "data": "d", "init_from": source_of(experiment)}
        assert key_of(facts) != key_of(facts | {"init_from": {"weights": "of another file"}})
        assert "init_from" not in experiment_of("adding").plain(1) and source_of(experiment_of("adding")) is None
