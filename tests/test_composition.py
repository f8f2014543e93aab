"""What a command line is checked for before anything runs: one line an error, with the value and what is allowed."""

import itertools
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from pipelines.settings.compose import CONF, compose
from pipelines.settings.grids import DEFAULT_TRAINER
from pipelines.settings.schema import Experiment, Grid
from pipelines.training.building import build_system
from rnn_lightning.budget import count_parameters
from rnn_lightning.recurrent import CELLS
from rnn_lightning.sequences import Batch

ROOT = CONF.parent
TASKS, RNNS, TRAINERS = (sorted(file.stem for file in (CONF / group).glob("*.yaml")) for group in ("task", "rnn", "trainer"))
VOCABULARIES = {"wikitext2": 33278, "shakespeare": 65, "copying": 10, "nested": 26, "dates": 50, "multi30k_en_de": 4000}
VOCABULARIES |= {"recall": 24, "foresight": 40, "parity": 3, "ewt": 19675, "sequoia": 8455, "wnut17": 3706, "clinc": 2921}
TAGS = {"foresight": 10, "parity": 2, "ewt": 17, "sequoia": 16, "wnut17": 13}
LABELS = {"strokes": 11, "strokes_pictures": 11, "unipen": 66, "phonemes_ctc": 47, "yesno": 3}
FEATURES = {"strokes": 4, "unipen": 4, "mnist_rows": 28, "japanese_vowels": 12, "phonemes_ctc": 39, "yesno": 23, "digits": 32}
FEATURES |= {"phonemes": 39, "strokes_pictures": 24}
FRAMES = {"phonemes": 46}
CLASSES = {"mnist_rows": 10, "japanese_vowels": 9, "clinc": 151, "digits": 10}
SERIES = {"etth1_ot_24": 1, "etth1_24": 7}
TARGETS = {"dates": 13, "multi30k_en_de": 4000}
READ_BOTH_WAYS = {"adding", *TAGS, *LABELS, *CLASSES, *FRAMES, *SERIES}
KNOWN = {*VOCABULARIES, *FEATURES, *READ_BOTH_WAYS}


COMBINATIONS = [
    pytest.param(task, rnn, marks=[] if (row + column) % 24 == 0 else pytest.mark.slow)
    for row, task in enumerate(TASKS)
    for column, rnn in enumerate(RNNS)
]
"""All of them, a twenty-fourth of which, with every task and every architecture, are tried each time."""


def origin(task: str) -> str:
    """The task that ``task`` inherits the shape of its data from: itself, where the tables above have it."""
    while task not in KNOWN:
        task = yaml.safe_load((CONF / f"task/{task}.yaml").read_text())["defaults"][0]
    return task


@pytest.mark.parametrize(("task", "rnn", "trainer"), [*zip(TASKS, itertools.cycle(RNNS), itertools.cycle(TRAINERS))])
def test_every_task_composes_with_architectures_and_hardware_in_turn(task: str, rnn: str, trainer: str) -> None:
    experiment = compose([f"task={task}", f"rnn={rnn}", f"trainer={trainer}", "seed=3"])
    assert (experiment.task_name, experiment.rnn_name, experiment.all_seeds()) == (task, rnn, [3])
    assert experiment.overrides(3) == [f"task={task}", f"rnn={rnn}", f"trainer={trainer}", "seed=3"]


def card_of(task: str) -> dict[str, Any]:
    """What the card of the task's data decides of a model."""
    task = origin(task)
    card: dict[str, Any] = {"vocabulary_size": VOCABULARIES.get(task)}
    if task in TARGETS:
        card |= {"target_vocabulary_size": TARGETS[task], "target_end": 0}
    if task in TAGS:
        tags = ["O", *(f"{mark}-{kind}" for kind in range(TAGS[task] // 2) for mark in "BI")][: TAGS[task]]
        card |= {"num_tags": TAGS[task], "tags": tags, "num_characters": 110}
    if width := (FEATURES | SERIES).get(task):
        card |= {"input_size": width, "standardize": {"mean": [0.5] * width, "std": [2.0] * width}}
    if task in SERIES:
        card |= {"targets": [*map(str, range(SERIES[task]))], "horizon": 4, "known": 0, "seasonal_errors": [1.0] * SERIES[task]}
    if task in LABELS:
        card["labels"] = ["<blank>", *map(chr, range(ord("a"), ord("a") + LABELS[task] - 1))]
    if task in FRAMES:
        card["classes"] = [str(number) for number in range(FRAMES[task])]
    if task in CLASSES:
        card |= {"num_classes": CLASSES[task], "classes": [str(number) for number in range(CLASSES[task])]}
    return card


def batch_of(task: str) -> Batch:
    """A batch of the task's shapes."""
    task = origin(task)
    if task in TAGS:
        return Batch(torch.tensor([[[1, 5, 0], [2, 3, 4]]]), None, torch.ones(1, 2, dtype=torch.int64))
    targets = torch.tensor([1, 2]) if task in CLASSES else torch.ones(2, 9 if task in FRAMES else 3, dtype=torch.int64)
    if task in TARGETS:
        targets[:, -1] = 0  # the end
    if task in VOCABULARIES:
        return Batch(torch.zeros(2, 3, dtype=torch.int64), None, targets)
    if task in SERIES:
        return Batch(torch.rand(2, 48, SERIES[task]), None, torch.rand(2, 4, SERIES[task]))
    if task in FEATURES:
        return Batch(torch.rand(2, 9, FEATURES[task]), None, targets)
    return Batch(torch.rand(2, 3, 2), None, torch.rand(2))


@pytest.mark.parametrize(("task", "rnn"), COMBINATIONS)
def test_every_model_has_its_budget_and_takes_a_step(task: str, rnn: str) -> None:
    experiment, card = compose([f"task={task}", f"rnn={rnn}"]), card_of(task)
    if experiment.rnn.get("bidirectional") and origin(task) not in READ_BOTH_WAYS:
        with pytest.raises(ValueError, match="must not read ahead"):
            build_system(experiment, card, planned=10)
        return
    system = build_system(experiment, card, planned=10)
    budget = experiment.task.parameters
    if budget is not None:
        share = {"lstmp": 0.07, "bilstm": 0.04}.get(rnn, 0.03)  # of which a unit more has several memory cells, or two layers
        assert count_parameters(system) == pytest.approx(budget, rel=share)
    loss, _ = system.loss_on(batch_of(task), "train")
    loss.backward()
    told = {name: weight.grad for name, weight in system.named_parameters()}
    if rnn == "feedforward" and origin(task) in TARGETS:
        # A decoder without memory forgets the summary that it is told first, and with it all that it is told but once.
        forgotten = ("decoder.enter", *(("encoder",) if task == "multi30k_de_en_summary" else ()))
        told = {name: grad for name, grad in told.items() if not name.startswith(forgotten)}
    assert all(grad is not None and torch.isfinite(grad).all() for grad in told.values())


def test_every_cell_has_its_file() -> None:
    assert set(CELLS) <= set(RNNS)
    cells = {yaml.safe_load((CONF / f"rnn/{rnn}.yaml").read_text())["cell"] for rnn in set(RNNS) - set(CELLS)}
    assert cells <= set(CELLS)


def test_the_seed_is_one_or_the_first_few() -> None:
    assert compose(["task=adding", "seed=7"]).all_seeds() == [7]
    assert compose(["task=adding", "seeds=3"]).all_seeds() == [1, 2, 3]
    assert compose(["task=adding"]).all_seeds() == [1]


def test_what_decides_a_run_is_plain_and_does_not_hang_on_the_other_seeds() -> None:
    one = compose(["task=adding", "seed=2"]).plain(2)
    assert one == compose(["task=adding", "seeds=3", "workers=1"]).plain(2)
    assert one["task"]["model"]["_target_"] == "rnn_lightning.SequenceClassifier"


REFUSED = {
    "task=addin": r"task must be one of adding, .*, not 'addin'",
    "rnn=lstn": r"rnn must be one of bilstm, lstm, .*, not 'lstn': the nearest is lstm",
    "task=adding sed=3": r"sed: there is no such setting \(the nearest is seed\); there are ",
    "task=adding task.training.epoch=3": r"epoch: there is no such setting \(the nearest is epochs\)",
    "task=adding +task.training.epoch=3": r"task.training.epoch: there is no such setting \(the nearest is epochs\)",
    "task=adding task.training.epochs=-1": r"task.training.epochs must be at least 1, not -1",
    "task=adding task.training.clip=none": r"task.training.clip must be a number, not 'none'",
    "task=adding seed=-1": r"seed must be at least 0, not -1",
    "task=adding trainer.precision=8": r"trainer.precision must be '32-true', .*, not 8",
    "task=adding task.references={a:1}": r"^task.references must be \[a, b, ...\], not {'a': 1}$",
    "task=adding task.training=[]": r"^task.training must be {key: value, ...}, not \[\]$",
    "task=clinc task.corpus.rows=[1]": r"^task.corpus.rows must be {key: value, ...}, not \[1\]$",
    "task=adding task.references.9=1": r"^task.references.9 cannot be set to 1 \(list index out of range\): write the list",
    "task=adding freeze=[network,head,network]": r"^freeze: network is given twice: give each name once \(got \['network', ",
    "task=adding trainer.loggers=[csv,csv]": r"^trainer.loggers: csv is given twice",
    "task=adding trainer.loggers=[1]": r"^trainer.loggers.0 must be text, not 1: quote it, as in \"trainer.loggers=\['1'\]\"$",
    "task=adding task.metric.mode=best": r"task.metric.mode must be 'min' or 'max', not 'best'",
    "task=adding task.corpus._target_=os.system": r"task.corpus._target_ must be .*rnn_lightning.* \(got 'os.system'\)",
}


@pytest.mark.parametrize("arguments", REFUSED)
def test_a_bad_command_line_is_refused_in_lines_that_say_why(arguments: str) -> None:
    with pytest.raises(ValueError, match=REFUSED[arguments]) as refusal:
        compose(arguments.split())
    assert all(len(line) < 300 for line in str(refusal.value).splitlines())


def test_a_class_that_is_not_there_or_a_keyword_it_does_not_have_is_named() -> None:
    with pytest.raises(ValueError, match=r"_target_ 'rnn_lightning.corpora.Addin' cannot be imported: "):
        compose(["task=adding", "task.corpus._target_=rnn_lightning.corpora.Addin"])
    with pytest.raises(ValueError, match=r"task.corpus.step: there is no such setting \(the nearest is steps\)"):
        compose(["task=adding", "+task.corpus.step=3"])


@pytest.mark.parametrize(("arguments", "said"), [(["task=addin"], "not 'addin'"), (["task=nested"], "data/raw/nested")])
def test_a_refusal_is_one_line_and_exit_code_2(tmp_path: Path, arguments: list[str], said: str) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "pipelines.preprocess", *arguments],
        cwd=tmp_path,
        env={"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 2
    assert re.fullmatch(r"error: [^\n]*\n", told.stderr)
    assert said in told.stderr


def test_experiments_do_not_change() -> None:
    experiment = compose(["task=adding"])
    assert isinstance(experiment, Experiment)
    with pytest.raises(ValueError, match="frozen"):
        experiment.seeds = 3


@pytest.mark.parametrize(
    "line",
    ["task=adding", "task=adding rnn=gru seed=2", "task=wikitext2 rnn=lstm", "task=wikitext2 trainer=cpu_medium seeds=3"],
)
def test_what_is_as_in_the_files_is_named_without_composing_them_again(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = compose(line.split())
    monkeypatch.setattr("pipelines.settings.compose.OF_NO_FILE", ())
    again = compose([*line.split(), "workers=2"])
    assert (found.trained_name, found.run_name) == (again.trained_name, again.run_name)


def test_the_trainer_of_grids_that_name_none_is_that_of_command_lines() -> None:
    (chosen,) = [
        entry["trainer"] for entry in yaml.safe_load((CONF / "config.yaml").read_text())["defaults"] if "trainer" in entry
    ]
    assert chosen == DEFAULT_TRAINER == Grid.model_fields["trainer"].default


def test_a_search_has_a_folder_of_its_own_behind_a_name() -> None:
    plain, searched = (compose(["task=dates", "name=mine", *more]) for more in ([], ["task.metric.search={beam_size: 3}"]))
    assert plain.trained_name == searched.trained_name == plain.run_name == "lstm-mine"
    assert re.fullmatch(r"lstm-mine-[0-9a-f]{8}", searched.run_name or "")
