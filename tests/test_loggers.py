"""Loggers beside the dashboard: the points of ``curves.csv``, each once, also where a training was killed and resumed."""

import csv
from pathlib import Path

import pytest
from lightning.pytorch.callbacks import Callback
from run_folders import SMALL, trained_in

from pipelines.settings.compose import compose
from pipelines.settings.schema import Experiment
from pipelines.train import all_trained
from pipelines.training import loggers, trainers

CSV = ("trainer.loggers=[csv]", "trainer.checkpoint_seconds=0")
MINE = """
from pathlib import Path
from lightning.pytorch.loggers.logger import Logger

class Lines(Logger):
    def __init__(self, save_dir, name, version):
        super().__init__()
        self.name, self.version, self.file = name, version, Path(save_dir, "lines.txt")
        self.file.parent.mkdir(exist_ok=True)
    name = version = None
    def log_metrics(self, metrics, step=None):
        with self.file.open("a") as out:
            out.writelines(f"{name} {step}\\n" for name in metrics)
    def log_hyperparams(self, params, *args, **kwargs):
        self.file.write_text(f"{self.name} {self.version} {params['seed']}\\n")

class Wants(Lines):
    def __init__(self, save_dir, name, version, project):
        super().__init__(save_dir, name, version)

class Breaks(Lines):
    def log_metrics(self, metrics, step=None):
        raise OSError("the disk is full")

class Ends(Lines):
    def finalize(self, status):
        raise SystemExit("gone\\nwith two lines")

class Refuses(Lines):
    def log_hyperparams(self, params, *args, **kwargs):
        raise KeyError("account")
"""


def curves(folder: Path) -> list[tuple[str, int, float]]:
    with (folder / "curves.csv").open(newline="") as lines:
        return [(row["metric"], int(row["step"]), float(row["value"])) for row in csv.DictReader(lines)]


def logged(place: Path) -> list[tuple[str, int, float]]:
    """The points of Lightning's CSV, a column a metric."""
    (file,) = (place / "logs").rglob("metrics.csv")
    assert file.parent.parent.relative_to(place / "logs").parts[::2] == ("adding", "1") and file.parent.name == "csv"
    with file.open(newline="") as lines:
        rows = [(int(row.pop("step")), row) for row in csv.DictReader(lines)]
    return [(name, step, float(value)) for step, row in rows for name, value in row.items() if value]


class Kill(Callback):
    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        if trainer.global_step == 3:
            raise KeyboardInterrupt


def test_csv_has_every_point_once_also_of_a_training_that_was_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = trainers.patience
    with monkeypatch.context() as patch:
        patch.setattr("pipelines.training.run.patience", lambda experiment: [*usual(experiment), Kill()])
        with pytest.raises((KeyboardInterrupt, SystemExit)), trained_in(tmp_path, *CSV):
            pass
    assert max(step for _, step, _ in logged(tmp_path)) <= 3
    with trained_in(tmp_path, *CSV) as folder:
        assert sorted(logged(tmp_path)) == sorted(curves(folder))
        assert "seed: 1\n" in next((tmp_path / "logs").rglob("hparams.yaml")).read_text()


def test_tensorboard_has_the_points_of_a_training_that_is_done(tmp_path: Path) -> None:
    reading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    with trained_in(tmp_path, "trainer.loggers=[tensorboard]") as folder:
        (events,) = (tmp_path / "logs").rglob("events.out.tfevents*")
        read = reading.EventAccumulator(str(events), size_guidance={"scalars": 0}).Reload()
        seen = {(name, point.step): point.value for name in read.Tags()["scalars"] for point in read.Scalars(name)}
        assert seen == {(name, step): pytest.approx(value) for name, step, value in curves(folder)}


def test_a_training_that_is_done_gives_its_points_to_files_that_are_asked_for_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with trained_in(tmp_path) as folder:
        assert not (tmp_path / "logs").exists()
        with pytest.raises(ValueError, match=r"trainer.loggers must be one of csv, .*, not 'cvs': the nearest is csv"):
            loggers.write_again(small("trainer.loggers=[cvs]"), 1)
        for _ in range(2):
            assert all_trained(small("trainer.loggers=[csv]"))
            assert sorted(logged(tmp_path)) == sorted(curves(folder))
        (tmp_path / "mine_of_tests.py").write_text(MINE)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setenv(loggers.OWN_LOGGERS, "mine_of_tests")
        loggers.write_again(small("trainer.loggers=[mine_of_tests.Lines]"), 1)
        assert "mine_of_tests.Lines gets no points of a training that is done" in capsys.readouterr().err


def small(*words: str) -> Experiment:
    return compose(["task=adding", "rnn=gru", "seed=1", *SMALL, *words])


def test_loggers_decide_no_number_of_a_training() -> None:
    plain, seen = compose(["task=adding", "rnn=gru"]), compose(["task=adding", "rnn=gru", "trainer.loggers=[csv, tensorboard]"])
    assert (seen.plain(1), seen.run(1)) == (plain.plain(1), plain.run(1)) and seen.trainer.loggers == ["csv", "tensorboard"]


def test_a_logger_of_a_package_that_the_environment_allows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine_of_tests.py").write_text(MINE)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        ValueError, match=f"of the package mine_of_tests, which may not be imported: {loggers.OWN_LOGGERS}=mine_of_tests"
    ):
        loggers.logger_class("mine_of_tests.Lines")
    monkeypatch.setenv(loggers.OWN_LOGGERS, "other,mine_of_tests")
    with trained_in(tmp_path, "trainer.loggers=[mine_of_tests.Lines]") as folder:
        first, *lines = (tmp_path / "logs/lines.txt").read_text().splitlines()
        assert first.split() == [str(folder.relative_to(tmp_path / "trained")), "Lines", "1"]
        assert lines == [f"{metric} {step}" for metric, step, _ in curves(folder)]
    for name, reason in {"Path": "must be a class of", "Nothing": "cannot be imported"}.items():
        with pytest.raises(ValueError, match=reason):
            loggers.logger_class(f"mine_of_tests.{name}")
    for name, error in {"Wants": "TypeError: .*'project'", "Refuses": "KeyError: 'account'"}.items():
        made = loggers.Loggers(compose(["task=adding", "rnn=gru", f"trainer.loggers=[mine_of_tests.{name}]"]), 1)
        monkeypatch.chdir(tmp_path)
        with pytest.raises(ValueError, match=f"^trainer.loggers: mine_of_tests.{name} cannot be made .*: {error}"):
            made.begin([])


@pytest.mark.parametrize(
    ("name", "said"), [("Breaks", "OSError: the disk is full"), ("Ends", "SystemExit: gone with two lines")]
)
def test_a_logger_that_fails_costs_a_warning_and_no_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, said: str
) -> None:
    (tmp_path / "mine_of_tests.py").write_text(MINE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv(loggers.OWN_LOGGERS, "mine_of_tests")
    with trained_in(tmp_path, f"trainer.loggers=[mine_of_tests.{name}, csv]") as folder:
        assert sorted(logged(tmp_path)) == sorted(curves(folder))
    assert capsys.readouterr().err.count(f"warning: trainer.loggers: {name} gets no more points: {said}\n") == 1


def test_two_loggers_do_not_write_the_same_folder() -> None:
    with pytest.raises(ValueError, match=r"trainer.loggers: two would write the folder Same: rename the class of one"):
        loggers.Loggers(compose(["task=adding", "rnn=gru", "trainer.loggers=[one.Same,two.Same]"]), 1)


def test_a_missing_tensorboard_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loggers, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"tensorboard is not installed: pip install 'rnn-lightning\[tensorboard\]'"):
        loggers.logger_class("tensorboard")
