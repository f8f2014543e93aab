"""Fine-tuning of networks that read or tell numbers: weights are those of the same columns and quantiles, in any order."""

from pathlib import Path

import pytest
import torch
from beginnings import SIZES, begun, card_of, experiment_of, system_on, weights
from run_folders import own_place, store_run
from torch import Tensor

from pipelines.settings.compose import compose
from pipelines.settings.schema import Experiment
from pipelines.training.building import build_system
from pipelines.training.initial import begin_from


@pytest.mark.parametrize("columns", ["[y, x]", "[a, b]", "[x, a]"])
def test_columns_of_other_names_or_order_are_refused_or_begin_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], columns: str
) -> None:
    table = {"id": [1, 1, 2, 2], "kind": ["up", "up", "down", "down"]}
    table |= {name: [float(place), 1.0, 2.0, 3.0] for place, name in enumerate("xyab")}
    given = ["task=japanese_vowels", "rnn=gru", "task.corpus.label=kind", "+task.corpus.series=id", *SIZES]
    given += ["task.corpus.held_out=null", "task.rnn.num_layers=2"]
    with own_place(tmp_path):
        experiment = compose([*given, "task.corpus.sequence=[x, y]"])
        store_run(tmp_path / "runs/xy", experiment, system_on(experiment, table), card_of(experiment))
        source = weights(tmp_path / "runs/xy")
        same = compose([*given, "task.corpus.sequence=[x, y]", "init_from=runs/xy"])
        assert begin_from(same, card_of(same), system_on(same, table))["initial"] == {"loaded": len(source), "left": {}}
        other = compose([*given, f"task.corpus.sequence={columns}", "init_from=runs/xy"])
        system, names = system_on(other, table), "', '".join(columns[1:-1].split(", "))
        drawn = {name: value.clone() for name, value in system.state_dict().items()}
        said = (
            rf"features are {{'features': \['{names}'\]}} here and {{'features': \['x', 'y'\]}} there; 4 weights do not fit: "
        )
        with pytest.raises(ValueError, match=rf"{said}network\.core\.weight_ih_l0 reads other features; .* takes 6 weights$"):
            begin_from(other, card_of(other), system)
        partial = compose([*other.command_line, "init_from_partial=true"])
        done = begin_from(partial, card_of(partial), system)["initial"]
    for name, value in system.state_dict().items():
        assert torch.equal(value, (drawn if name.endswith("_l0") else source)[name]), name
    assert done["loaded"] == 6 and {*done["left"].values()} == {"reads other features"}
    assert "6 weights are taken; network.core.weight_ih_l0 reads other features, and is not; " in capsys.readouterr().err


def test_rows_of_quantiles_are_those_of_their_levels(tmp_path: Path) -> None:
    sides = [[f"task.model.quantiles={levels}"] for levels in ("[0.1, 0.5]", "[0.5, 0.9]")]
    with own_place(tmp_path):
        experiment = experiment_of("adding", "task.model._target_=rnn_lightning.SequenceRegressor", *sides[0])
        corpus = experiment.task.corpus.build()
        corpus.fetch(experiment.raw())
        corpus.preprocess(experiment.raw(), experiment.processed())
        system = build_system(experiment, card_of(experiment), planned=10)
        source = weights(store_run(tmp_path / "runs/low", experiment, system, card_of(experiment)))
        words = ["task.model._target_=rnn_lightning.SequenceRegressor", *sides[1], "init_from=runs/low"]
        lists = r"\['value at 0.5', 'value at 0.9'\] here and \['value at 0.1', 'value at 0.5'\] there"
        with pytest.raises(ValueError, match=rf"outputs are {lists}; init_from_partial=true takes 6 weights, 1 of 2 outputs$"):
            begun("adding", *words)
        made, done = begun("adding", *words, "init_from_partial=true")
    assert torch.equal(made["output.weight"][0], source["output.weight"][1])
    assert not torch.isin(made["output.weight"][1], source["output.weight"]).any()
    assert done["initial"]["rows"] == {"outputs": {"taken": 1, "anew": 1}}


DATES = [f"2020-01-{1 + hour // 24:02d} {hour % 24:02d}:00:00" for hour in range(96)]
SERIES = {name: [float((7 * hour + place) % 11) for hour in range(96)] for place, name in enumerate("abcd")}
FORECAST = ["task=etth1_ot_24", "rnn=gru", *SIZES, "task.corpus.season=4", "task.corpus.context=8", "task.model.highway=2"]
FORECAST += ["task.model.segment=1", "task.model.level=none", "task.rnn.num_layers=2"]
FORECAST += ["task.corpus.borders={train: [0, 60], validation: [60, 78], test: [78, 96]}", "task.corpus.date=date"]


def forecasts(*more: str) -> Experiment:
    columns = ["task.corpus.targets=[a]", "task.corpus.known=[b, c]", "task.corpus.horizon=2", "task.corpus.calendar=[hour]"]
    return compose([*FORECAST, *columns, "task.model.quantiles=[0.1, 0.5]", *more])


def same_rows(row: Tensor, rows: Tensor) -> list[int]:
    """Which of the ``rows`` are equal to a ``row``."""
    return [number for number, other in enumerate(rows) if torch.equal(row, other)]


@pytest.mark.parametrize(
    ("other", "said", "kept"),
    [
        ("task.corpus.known=[c, b]", "features are .*'a', 'c', 'b', 'hour'.* here and .*'a', 'b', 'c', 'hour'.* there", {}),
        ("task.corpus.targets=[d]", "features are .* here and .* there; outputs are .*'d at 0.1, step 1", {}),
        ("task.model.level=mean", "features are {'level': 'mean'} here and {'level': 'none'} there; outputs are", {}),
        ("task.model.quantiles=[0.5, 0.9]", "^init_from=runs/one: outputs are ", {0: 1, 2: 3}),
        ("task.corpus.horizon=3", "^init_from=runs/one: outputs are ", {0: 0, 1: 1, 2: 2, 3: 3}),
    ],
)
def test_forecasts_begin_with_what_is_of_the_same_columns_steps_and_quantiles(
    tmp_path: Path, other: str, said: str, kept: dict[int, int]
) -> None:
    with own_place(tmp_path):
        experiment, table = forecasts(), {"date": DATES, **SERIES}
        store_run(tmp_path / "runs/one", experiment, system_on(experiment, table), card_of(experiment))
        source = weights(tmp_path / "runs/one")
        longer = forecasts("task.corpus.context=10", "init_from=runs/one")
        assert begin_from(longer, card_of(longer), system_on(longer, table))["initial"] == {"loaded": len(source), "left": {}}
        changed = forecasts(other, "init_from=runs/one")
        system = system_on(changed, table)
        with pytest.raises(ValueError, match=said):
            begin_from(changed, card_of(changed), system)
        partial = forecasts(other, "init_from=runs/one", "init_from_partial=true")
        begin_from(partial, card_of(partial), system)
    made = system.state_dict()
    assert torch.equal(made["network.core.weight_ih_l0"], source["network.core.weight_ih_l0"]) == ("features" not in said)
    rows = {row: there for row, one in enumerate(made["output.weight"]) for there in same_rows(one, source["output.weight"])}
    assert rows == (kept or ({} if "outputs" in said else dict(enumerate(range(4)))))


def test_a_number_of_another_name_is_refused_or_begins_anew(tmp_path: Path) -> None:
    table = {"id": [1, 1, 2, 2], "x": [0.0, 1.0, 2.0, 3.0], "weight": [4.0, 4.0, 5.0, 5.0], "height": [1.0, 1.0, 2.0, 2.0]}
    given = ["task=japanese_vowels", "rnn=gru", "task.corpus.label=null", "+task.corpus.series=id", *SIZES]
    given += ["task.corpus.held_out=null", "task.corpus.sequence=[x]", "task.model.num_classes=null"]
    with own_place(tmp_path):
        experiment = compose([*given, "+task.corpus.value=weight"])
        store_run(tmp_path / "runs/weight", experiment, system_on(experiment, table), card_of(experiment))
        source = weights(tmp_path / "runs/weight")
        same = compose([*experiment.command_line, "init_from=runs/weight"])
        assert begin_from(same, card_of(same), system_on(same, table))["initial"] == {"loaded": len(source), "left": {}}
        other = compose([*given, "+task.corpus.value=height", "init_from=runs/weight"])
        system = system_on(other, table)
        drawn = {name: value.clone() for name, value in system.state_dict().items()}
        said = r"outputs are \['height'\] here and \['weight'\] there; 2 weights do not fit: output.weight belongs to other"
        with pytest.raises(ValueError, match=said):
            begin_from(other, card_of(other), system)
        partial = compose([*other.command_line, "init_from_partial=true"])
        done = begin_from(partial, card_of(partial), system)["initial"]
    assert sorted(done["left"]) == ["output.bias", "output.weight"]
    for name, value in system.state_dict().items():
        assert torch.equal(value, (drawn if name.startswith("output.") else source)[name]), name
