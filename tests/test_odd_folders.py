"""A project in a folder whose name has signs that shells, addresses and databases give a meaning."""

from pathlib import Path

import pytest
from command_worker import worker
from small_project import STAGES, copy_project

from pipelines import tracking
from pipelines.sweeping.storage import open_storage

HARMLESS, MISREAD = 'it\'s a "b" #1\nc=d&e;é', ["a?b", "a%20b"]
"""Names that databases take as they are written, and those that they do not."""


@pytest.mark.parametrize("name", MISREAD)
def test_no_database_is_made_in_another_folder(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite's address ``a?b`` is the file ``a``, beside the folder."""
    (tmp_path / name).mkdir()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / name}/mlflow.db")
    refusal = rf"a database cannot lie in a folder with {'[?]' if '?' in name else '%20'} in its name"
    with pytest.raises(ConnectionError, match=refusal):
        tracking.store.client()
    with pytest.raises(ValueError, match=refusal):
        open_storage(f"sqlite:///{tmp_path / name}/sweeps.db")
    assert sorted(file.name for file in tmp_path.rglob("*")) == [name]


def test_a_store_lies_in_a_folder_with_harmless_signs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / HARMLESS).mkdir()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / HARMLESS}/mlflow.db")
    assert tracking.store.open_experiment("adding") and (tmp_path / HARMLESS / "mlflow.db").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", [HARMLESS, *MISREAD])
def test_all_stages_work(name: str, tmp_path: Path) -> None:
    """Where the dashboard cannot be, a warning says so, and its entries wait."""
    project = copy_project(tmp_path / name)
    with worker(project) as made:
        told = [made.run(stage, ["task=adding", "rnn=lstm", "seed=1"], project) for stage in STAGES]
        told.append(made.run("compare", ["task=adding"], project))
    assert [each.code for each in told] == [0] * 5, told
    assert ("cannot lie in a folder" in told[2].err) == (name in MISREAD), told[2]
    assert (project / "runs/adding/lstm/1/metrics.json").exists() and not [
        file for file in tmp_path.iterdir() if file != project
    ]
