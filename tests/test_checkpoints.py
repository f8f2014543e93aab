"""Checkpoints on disk: whole or not there, undamaged or refused, data and never code."""

import os
from pathlib import Path

import pytest
import torch
from test_durable import train

from rnn_lightning import AtomicCheckpointIO, SequenceClassifier, files
from rnn_lightning.systems.checkpoints import keep


def test_every_damaged_byte_of_a_weight_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "some.ckpt"
    AtomicCheckpointIO().save_checkpoint({"weights": torch.arange(512, dtype=torch.float32)}, file)
    whole = file.read_bytes()
    start = whole.index(torch.arange(512, dtype=torch.float32).numpy().tobytes())
    for place in range(start, start + 2048, 97):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(ValueError, match=r"some.ckpt is damaged: its SHA-256 is not"):
            AtomicCheckpointIO().load_checkpoint(file)
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"some.ckpt is damaged or no checkpoint"):
        AtomicCheckpointIO().load_checkpoint(file)


def test_a_save_that_fails_leaves_the_old_checkpoint_and_no_other_file(tmp_path: Path) -> None:
    file = tmp_path / "some.ckpt"
    AtomicCheckpointIO().save_checkpoint({"step": 1}, file)
    with pytest.raises(Exception, match=r"[Pp]ickle"):
        AtomicCheckpointIO().save_checkpoint({"step": lambda: 2}, file)
    assert AtomicCheckpointIO().load_checkpoint(file) == {"step": 1}
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("place", ["http://example.org/model.ckpt", "s3://models/model.ckpt"])
def test_a_checkpoint_from_elsewhere_is_refused(place: str) -> None:
    with pytest.raises(ValueError, match=f"local files only, not from {place}"):
        AtomicCheckpointIO().load_checkpoint(place)


def test_code_in_a_checkpoint_does_not_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple:
            return os.mkdir, (str(tmp_path / "canary"),)

    torch.save({"hyper_parameters": Evil()}, tmp_path / "evil.ckpt")
    with pytest.raises(Exception, match=r"[Ww]eights.only"):
        AtomicCheckpointIO().load_checkpoint(tmp_path / "evil.ckpt")
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("damaged", [["last.ckpt"], ["last.ckpt", "previous.ckpt"], ["best.ckpt"]], ids=str)
def test_a_training_whose_checkpoints_are_damaged_ends_as_if_they_were_not(tmp_path: Path, damaged: list[str]) -> None:
    whole = train("pairs", tmp_path / "data", tmp_path / "whole")
    train("pairs", tmp_path / "data", tmp_path / "work", kill=9)
    for name in damaged:
        content = bytearray((tmp_path / "work" / name).read_bytes())
        content[len(content) // 2] ^= 1
        (tmp_path / "work" / name).write_bytes(content)
    with pytest.warns(UserWarning, match=f"{damaged[0]} is damaged"):
        assert train("pairs", tmp_path / "data", tmp_path / "work") == whole


@pytest.mark.parametrize("place", ["gpuu", "", "cuda:99", 1.5, ["cpu"], {"cpu": "nowhere"}])
def test_a_place_for_tensors_that_there_is_not_is_named(tmp_path: Path, place: object) -> None:
    """Whatever PyTorch would say of it, and whether or not the file is there."""
    with pytest.raises(ValueError, match=r"map_location must be 'cpu'.*, a function, a dict or None, not "):
        SequenceClassifier.load_from_checkpoint(tmp_path / "some.ckpt", map_location=place)


@pytest.mark.parametrize("linked", [True, False])
def test_the_checkpoint_before_is_kept_and_one_is_there_at_every_moment(
    linked: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    last, previous, seen = tmp_path / "last.ckpt", tmp_path / "previous.ckpt", []
    flush = files.flush

    def watched(path: Path) -> None:
        seen.append(last.exists() or (not linked and previous.exists()))
        flush(path)

    def refuse(*_: object) -> None:
        raise OSError("no links here")

    saver, saved = AtomicCheckpointIO(), [{"number": number} for number in range(3)]
    saver.save_checkpoint(saved[0], last)
    monkeypatch.setattr(files, "flush", watched)
    if not linked:
        monkeypatch.setattr("os.link", refuse)
    for now in saved[1:]:
        saver.save_checkpoint(now, last, previous)
    assert (saver.load_checkpoint(last), saver.load_checkpoint(previous)) == (saved[2], saved[1])
    assert seen and all(seen) and {file.name for file in tmp_path.iterdir()} == {"last.ckpt", "previous.ckpt"}
    keep(last, previous)
    if linked:
        keep(last, previous)  # one file by now
    assert saver.load_checkpoint(previous) == saved[2] and linked == last.exists()
    assert not list(tmp_path.glob(".*"))
