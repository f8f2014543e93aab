"""Fine-tuning: what is loaded from a run and what is refused, what stays frozen, and what the record says of it."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from run_folders import SMALL, own_place, trained_in
from torch import Tensor

from pipelines.kinds import kind_of
from pipelines.runs.initial import source_of
from pipelines.runs.provenance import key_of
from pipelines.settings.compose import compose
from pipelines.settings.schema import Experiment
from pipelines.training.building import build_system
from pipelines.training.initial import begin_from
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


def experiment_of(task: str, *more: str) -> Experiment:
    return compose([f"task={task}", "rnn=gru", "seed=1", *SMALL, *more])


def card_of(experiment: Experiment) -> dict[str, Any]:
    return read_json(experiment.processed() / "card.json")


def weights(folder: Path) -> dict[str, Tensor]:
    return read_checkpoint(folder / "model.ckpt")["state_dict"]


def begun(task: str, *more: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The weights with which a training begins that differs from the source by ``more``, and what is recorded of it."""
    experiment = experiment_of(task, *more)
    torch.manual_seed(7)
    system = build_system(experiment, card_of(experiment), planned=10)
    return system.state_dict(), begin_from(experiment, card_of(experiment), system)


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
    with own_place(place):
        for parts, said in {"[net]": "freeze must be one of network, ", "[network, output]": "leaves nothing to train"}.items():
            with pytest.raises(ValueError, match=said):
                begun("adding", f"freeze={parts}")


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
        with pytest.raises(ValueError, match=r"emissions.weight has no place here|is not in it"):
            begun("adding", "init_from=runs/foresight")
        for words, said in ((["init_from=runs/none"], "no model.ckpt or"), (["init_from_partial=true"], "no effect without")):
            with pytest.raises((ValueError, FileNotFoundError), match=said):
                begun("adding", *words)


def test_rows_of_other_tokens_are_never_loaded(place: Path, tmp_path: Path) -> None:
    source = weights(place / "runs/foresight")
    with own_place(place):
        made, _ = begun("foresight", "init_from=runs/foresight")
        assert all(torch.equal(value, source[name]) for name, value in made.items())
        other = place / "runs/other"
        shutil.copytree(place / "runs/foresight", other)
        lexicon = json.loads((other / "lexicon.json").read_text())
        lexicon["words"] = lexicon["words"][::-1]  # of equal shapes
        (other / "lexicon.json").write_text(json.dumps(lexicon))
        write_sums(other)
        with pytest.raises(ValueError, match=r"lexicon.json is another one.*embedding.weight belongs to other tokens or names"):
            begun("foresight", "init_from=runs/other")
        made, done = begun("foresight", "init_from=runs/other", "init_from_partial=true")
    rows = {"embedding.weight", "emissions.weight", "emissions.bias"}
    assert rows <= done["initial"]["left"].keys()
    for name, value in made.items():
        assert torch.equal(value, source[name]) != (name in done["initial"]["left"]), name
    assert done["initial"]["loaded"] >= 4


def test_other_initial_weights_are_another_training(place: Path) -> None:
    with own_place(place):
        experiment = experiment_of("adding", "init_from=runs/adding")
        facts = {"config": experiment.plain(1), "data": "d", "init_from": source_of(experiment)}
        assert key_of(facts) != key_of(facts | {"init_from": {"weights": "of another file"}})
        assert "init_from" not in experiment_of("adding").plain(1) and source_of(experiment_of("adding")) is None
