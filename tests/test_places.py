"""Folders that are made at the end: those that could not be are refused before a training, and of a failure none stay."""

import os
from pathlib import Path

import pytest
from run_folders import trained_in

from pipelines.training.checks import check_places
from rnn_lightning.files import whole_folder


@pytest.mark.parametrize("place", ["trained", "runs/adding"])
def test_a_file_where_a_folder_must_be_is_named_before_a_training(tmp_path: Path, place: str) -> None:
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / place).write_text("")
    with pytest.raises(ValueError, match=rf"cannot be made, {tmp_path / place} is a file"), trained_in(tmp_path):
        pass
    assert not list((tmp_path / "work").glob("adding*"))


def test_a_link_that_leads_nowhere_is_named_before_a_training(tmp_path: Path) -> None:
    (tmp_path / "trained").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=rf"cannot be made, {tmp_path}/trained is a link to what does not exist: remove it"):
        check_places(tmp_path / "trained/adding/gru/1")


def test_a_folder_that_may_not_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_places(tmp_path / "runs/adding/gru/1", tmp_path / "trained")
    monkeypatch.setattr(os, "access", lambda place, mode: Path(place) != tmp_path)
    check_places(tmp_path.parent / "other")
    with pytest.raises(ValueError, match=rf"runs/adding/gru/1 cannot be made, {tmp_path} may not be written to"):
        check_places(tmp_path / "runs/adding/gru/1")


def test_of_a_folder_that_failed_nothing_stays_and_of_others_all(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    with pytest.raises(ValueError, match="refused"), whole_folder(tmp_path / "runs/dates/gru/1"):
        raise ValueError("refused")
    assert [*tmp_path.rglob("*")] == [tmp_path / "runs"]
    with pytest.raises(ValueError, match="refused"), whole_folder(tmp_path / "runs/dates/gru/1"):
        (tmp_path / "runs/dates/lstm").mkdir()
        raise ValueError("refused")
    assert [*(tmp_path / "runs").rglob("*")] == [tmp_path / "runs/dates", tmp_path / "runs/dates/lstm"]
