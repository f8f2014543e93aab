"""A forecaster on another series: exact on its own, by the scale of the other's training part, refused for other columns."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from corpora import write_fetched
from run_folders import run_on_tables
from test_forecasting_corpus import table
from test_forecasts import SMALL

from pipelines.compare import compare
from pipelines.measuring.elsewhere import measure_elsewhere
from pipelines.settings.compose import CONF, compose
from rnn_lightning.files import read_json

OTHERS = {"same": {}, "wide": {"horizon": 9, "context": 5}, "renamed": {"targets": ["two", "one"]}}
SERIES = {"known": ["price"], "calendar": ["hour"], "context": 8, "horizon": 4, "season": 4, "targets": ["one", "two"]}
SERIES |= {"borders": {"train": [0, 60], "validation": [60, 80], "test": [80, 110]}}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A finished run, and files of other tasks whose series is ten times its own, and five more."""
    place = tmp_path_factory.mktemp("place")
    with run_on_tables(place, ["task=etth1_ot_24", *SMALL], lambda _: table()) as run:
        Path("mine/task").mkdir(parents=True)
        other = table()
        for name in ("one", "two", "price"):
            other["train"][name] = [10 * value + 5 for value in other["train"][name]]
        for name, changes in OTHERS.items():
            values = {"defaults": ["etth1_ot_24", "_self_"], "title": name, "corpus": {**SERIES, **changes}}
            Path(f"mine/task/{name}.yaml").write_text(yaml.safe_dump(values))
            made = compose([f"task={name}", f"hydra.searchpath=[file://{place}/mine]"])
            write_fetched(made.raw(), other, made.task.corpus.build().spec())
        yield run.relative_to(place)


def measured(run: Path, on: str) -> dict[str, float]:
    (folder,) = Path("measured", *run.parts[1:]).glob(f"{on}*")
    return json.loads((folder / "metrics.json").read_text())


def test_on_its_own_series_it_has_the_metrics_of_its_own_evaluation(run: Path) -> None:
    corpus = [word.lstrip("+") for word in SMALL if "task.corpus" in word]
    measure_elsewhere([f"run={run}", "on=etth1_ot_24", *corpus[:1], f"+{corpus[1]}", *corpus[2:]])
    assert measured(run, "etth1_ot_24") == read_json(run / "metrics.json")


@pytest.mark.parametrize("on", ["same", "wide"])
def test_a_series_on_another_scale_has_the_same_errors(run: Path, on: str) -> None:
    """``wide`` says another window, which is the model's own all the same."""
    measure_elsewhere([f"run={run}", f"on=mine/task/{on}.yaml"])
    assert measured(run, on) == pytest.approx(read_json(run / "metrics.json"), rel=1e-3)
    (section,) = compare(Path("runs"), Path("reports"), conf=CONF, data=Path("data"), tasks=["etth1_ot_24"])
    assert on in {each.on for each in section.measured}


def test_other_columns_are_refused(run: Path) -> None:
    with pytest.raises(ValueError, match=r"on=renamed reads items as .*\['two', 'one'\].*: name a task that reads alike"):
        measure_elsewhere([f"run={run}", "on=mine/task/renamed.yaml"])
    assert not Path("measured", *run.parts[1:], "renamed").exists()
