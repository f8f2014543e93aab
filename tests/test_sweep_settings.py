"""What a sweep is told is checked before anything runs, and means what it says."""

from pathlib import Path
from typing import Any

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from pipelines.settings.base import validate
from pipelines.settings.compose import CONF, compose
from pipelines.sweep import sweep
from pipelines.sweeping import settings
from pipelines.sweeping.arguments import read_arguments
from pipelines.sweeping.settings import Parameter, Sweep, assigned, check_space, read_sweep

SWEEPS = sorted(file.stem for file in (CONF / "sweep").glob("*.yaml"))
SPACE = {"task.training.clip": {"choices": [0.25, 1.0]}}


def test_a_wrong_word_of_the_command_line_is_not_blamed_on_the_file_of_the_sweep() -> None:
    with pytest.raises(ValueError, match=r"^task.trainings: there is no such setting"):
        sweep(["sweep=basic", "trials=1", "task=nested", "rnn=gru", "task.trainings.clip=3"])


@pytest.mark.parametrize("name", SWEEPS)
def test_every_sweep_fits_the_tasks_it_is_for(name: str) -> None:
    task = "ewt" if name.startswith("tagging") else "nested"
    check_space(read_sweep(name), name, ["tuned=none", f"task={task}"])


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"choices": [1, "a", None, True]}, CategoricalDistribution([1, "a", None, True])),
        ({"low": 1, "high": 4}, IntDistribution(1, 4)),
        ({"low": 8, "high": 64, "log": True}, IntDistribution(8, 64, log=True)),
        ({"low": 8, "high": 64, "step": 8}, IntDistribution(8, 64, step=8)),
        ({"low": 0.0, "high": 0.5, "step": 0.1}, FloatDistribution(0.0, 0.5, step=0.1)),
        ({"low": 0, "high": 0.5}, FloatDistribution(0.0, 0.5)),
        ({"low": 1e-4, "high": 1e-2, "log": True}, FloatDistribution(1e-4, 1e-2, log=True)),
    ],
)
def test_a_range_is_optunas(told: dict[str, Any], expected: object) -> None:
    assert validate(Parameter, told).distribution() == expected


REFUSED: dict[str, tuple[Any, str]] = {
    "nothing": ({}, "space is missing"),
    "a list": ([1, 2], r"a sweep must be {space: {KEY: {choices: \[a, b\]}, ...}, ...}, not \[1, 2\]"),
    "seed": (
        {"space": {"seed": {"choices": [1, 2]}}},
        "space.seed cannot be varied: the best of several seeds is chance, not a",
    ),
    "seeds": ({"space": {"seeds": {"low": 1, "high": 2}}}, "space.seeds cannot be varied: the best of several seeds is chance"),
    "workers": ({"space": {"workers": {"low": 1, "high": 2}}}, "space.workers cannot be varied: it changes no training"),
    "architecture": ({"space": {"rnn": {"choices": ["gru"]}}}, "space.rnn cannot be varied: a sweep is of one task and arch"),
    "a key twice": (
        {"space": {"+rnn.dropout": {"choices": [0.1, 0.2]}, "rnn.dropout": {"choices": [0.1]}}},
        "space has rnn.dropout twice: leave one out",
    ),
    "cell": ({"space": {"rnn.cell": {"choices": ["gru"]}}}, "space.rnn.cell cannot be varied: a sweep is of one task and arch"),
    "measure": ({"space": {"task.metric.mode": {"choices": ["min", "max"]}}}, "space.task.metric.mode cannot be varied: what "),
    "data": (
        {"space": {"task.corpus.steps": {"choices": [3]}}},
        "space.task.corpus.steps cannot be varied: trials train on the",
    ),
    "twice": ({"space": {"a": {"choices": [0.1, 0.1]}}}, r"space.a: choices must all be different, not \[0.1, 0.1\]"),
    "no space": ({"space": {}}, "space must have 1 or more entries, not 0"),
    "misspelt": ({"space": SPACE, "prunner": {}}, r"prunner: there is no such setting \(the nearest is pruner\); there are "),
    "misspelt within": (
        {"space": {"task.model.optimizer.lr": {"low": 0.0005, "hihg": 0.02}}},
        r"space.task.model.optimizer.lr.hihg: there is no such setting \(the nearest is high\); in "
        "space.task.model.optimizer.lr there are choices, high, log, low, step",
    ),
    "both": ({"space": {"a": {"choices": [1], "low": 0, "high": 1}}}, "space.a: .*either choices, or low and high"),
    "half": ({"space": {"a": {"low": 0}}}, "space.a: .*either choices, or low and high"),
    "empty": ({"space": {"a": {"choices": []}}}, "space.a: .*choices are empty"),
    "turned": ({"space": {"a": {"low": 2, "high": 1}}}, "space.a: .*low must be below high, not 2 and 1"),
    "log of nothing": ({"space": {"a": {"low": 0, "high": 1, "log": True}}}, "space.a: .*log needs a low above 0"),
    "sampler": ({"space": SPACE, "sampler": {"name": "best"}}, r"sampler.name must be 'tpe', .*, not 'best'"),
    "pruner": ({"space": SPACE, "pruner": {"name": "soon"}}, r"pruner.name must be 'none', .*, not 'soon'"),
    "objective": ({"space": SPACE, "objectives": ["speed"]}, r"objectives.0 must be 'quality', .*, not 'speed'"),
    "no quality": ({"space": SPACE, "objectives": ["seconds"]}, "objectives must begin with quality"),
    "two pruned": ({"space": SPACE, "objectives": ["quality", "seconds"]}, "set pruner.name to none"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_file_is_refused_by_name_and_key(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from omegaconf import OmegaConf

    told, said = REFUSED[name]
    (tmp_path / "conf/sweep").mkdir(parents=True)
    (tmp_path / "conf/sweep/mine.yaml").write_text(OmegaConf.to_yaml(OmegaConf.create(told)))
    monkeypatch.setattr(settings, "CONF", tmp_path / "conf")
    with pytest.raises(ValueError, match=said) as refusal:
        read_sweep("mine")
    assert all(line.startswith("conf/sweep/mine.yaml: ") for line in str(refusal.value).splitlines())


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ({"task.model.drop_out": {"choices": [0.1]}}, r"conf/sweep/mine.yaml: space: task.model.drop_out=0.1: .*'?drop_out'?"),
        (
            {"task.training.epochs": {"choices": [3, 0]}},
            r"task.training.epochs=0: task.training.epochs must be at least 1",
        ),
        (
            {"trainer.memory_limit_gb": {"choices": [1, 2]}},
            r"mine.yaml: space.trainer.memory_limit_gb changes no training: leave",
        ),
        ({"trainer.precision": {"choices": ["8"]}}, r"trainer.precision=8: trainer.precision must be"),
    ],
)
def test_a_key_or_value_that_the_experiment_does_not_have_is_named(space: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check_space(validate(Sweep, {"space": space}), "mine", ["task=nested", "tuned=none"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sweep=basic"], "trials is missing"),
        (["trials=3"], "sweep is missing"),
        (["sweep=basic", "trials=0"], r"trials must be at least 1, not 0"),
        (["sweep=basic", "trials=1", "force=1"], r"force must be true or false, not 1"),
        (
            ["sweep=basic", "triasl=2"],
            r"^triasl: there is no such setting \(the nearest is trials\); there are .*\ntrials is missing",
        ),
        (["sweep=basic", "trials=1", "storag=x"], r"^storag: .*the nearest is storage.* force, .* storage, sweep, .* trials, "),
        (["swep=basic", "trials=1"], r"^swep: .*the nearest is sweep.*\nsweep is missing"),
        (
            ["sweep=basic", "trials=1", "sweep.sampler.name=gp"],
            r"^sweep.sampler.name is a setting of conf/sweep/NAME.yaml: write",
        ),
        (["sweep=basic", "trials=1", "trials.x=2"], r"^trials.x=2 is no setting: give trials=VALUE$"),
        (["sweep=basic", "trials=3", "workers=many"], r"workers must be a whole number, not 'many'"),
    ],
)
def test_a_bad_order_is_refused(arguments: list[str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_arguments(arguments)


def test_equal_choices_of_two_types_are_two() -> None:
    assert validate(Parameter, {"choices": [1, True, 0, False]}).count() == 4


def test_an_order_leaves_the_rest_to_the_experiment() -> None:
    order = read_arguments(["task=ewt", "sweep=basic", "trials=3", "task.training.clip=0"])
    assert (order.sweep, order.trials, order.workers, order.overrides) == ("basic", 3, 1, ["task=ewt", "task.training.clip=0"])


def test_an_unknown_sweep_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"sweep must be one of basic, .*, not 'best'"):
        read_sweep("best")


@pytest.mark.parametrize("value", [0.25, 1e-05, 3, True, False, None, "lstm", "a b", "null", "1.5"])
def test_values_survive_the_command_line(value: Any) -> None:
    found = compose(["task=adding", "tuned=none", f"+{assigned('task.model.mine', value)}"]).task.model.model_extra
    assert found is not None
    assert found["mine"] == value and type(found["mine"]) is type(value)


@pytest.mark.parametrize(
    ("space", "count"),
    [
        ({"a": {"choices": [1, 2, 3]}, "b": {"low": 0.0, "high": 1.0, "step": 0.25}, "c": {"low": 2, "high": 5}}, 3 * 5 * 4),
        ({"a": {"low": 1, "high": 7, "step": 3}}, 3),
    ],
)
def test_a_grid_has_every_combination_once(space: dict[str, Any], count: int) -> None:
    sweep = validate(Sweep, {"space": space, "sampler": {"name": "grid"}})
    points = sweep.grid()
    assert len(points) == count == len({tuple(point.values()) for point in points})
    for key, parameter in sweep.space.items():
        assert all(
            parameter.distribution()._contains(parameter.distribution().to_internal_repr(point[key])) for point in points
        )


@pytest.mark.parametrize("space", [{"low": 0.0, "high": 1.0}, {"low": 1, "high": 9, "log": True}])
def test_an_endless_grid_is_refused(space: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="a grid needs choices or steps, which a has not"):
        validate(Sweep, {"space": {"a": space}, "sampler": {"name": "grid"}})


def test_a_grid_that_no_memory_holds_is_refused_before_it_is_made() -> None:
    space = {"task.training.epochs": {"low": 1, "high": 10**12, "step": 1}}
    with pytest.raises(ValueError, match="a grid has at most 100,000 points, not 1,000,000,000,000"):
        validate(Sweep, {"space": space, "sampler": {"name": "grid"}})
