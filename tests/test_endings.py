"""Errors of the operating system end a command in one line that names the file, what is wrong and what to do."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.settings.endings import ADVICE, LEADS_NOWHERE, NEEDS_FOLDER, end
from rnn_lightning.files import whole_folder, written_beside


def said(act: Callable[[], object], capsys: pytest.CaptureFixture[str]) -> str:
    """The line that a command ends with whose work is ``act``."""
    with pytest.raises(SystemExit) as raised:
        try:
            act()
        except (OSError, ValueError) as error:
            end(error)
    assert raised.value.code == 2
    return capsys.readouterr().err.removeprefix("error: ").removesuffix("\n")


def test_a_file_in_the_place_of_a_folder_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "exports"
    file.touch()
    for folder in (file, file / "dates", file / "dates" / "1"):
        assert said(lambda folder=folder: folder.mkdir(parents=True, exist_ok=True), capsys) == f"{file} {NEEDS_FOLDER}"


def test_a_link_that_leads_nowhere_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    link = tmp_path / "runs"
    link.symlink_to(tmp_path / "nowhere")
    for folder in (link, link / "dates"):
        assert said(lambda folder=folder: folder.mkdir(parents=True, exist_ok=True), capsys) == f"{link} {LEADS_NOWHERE}"


def test_unfinished_files_are_named_as_what_they_become(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def write(error: type[Exception]) -> None:
        with whole_folder(tmp_path / "runs.of/1") as folder, written_beside(folder / "model.ckpt") as file:
            raise error(f"{file}: a reason") if error is ValueError else error(errno.EROFS, "read-only", str(file))

    assert said(lambda: write(ValueError), capsys) == f"{tmp_path}/runs.of/1/model.ckpt: a reason"
    assert said(lambda: write(OSError), capsys) == f"{tmp_path}/runs.of/1/model.ckpt {ADVICE[errno.EROFS]}"


def test_a_folder_in_the_place_of_a_file_and_a_missing_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(tmp_path.read_bytes, capsys) == f"{tmp_path} {ADVICE[errno.EISDIR]}"
    assert said((tmp_path / "no").read_bytes, capsys) == f"{tmp_path / 'no'} does not exist"
    assert said((tmp_path / ("x" * 300)).touch, capsys).endswith(ADVICE[errno.ENAMETOOLONG])


@pytest.mark.parametrize("code", sorted(ADVICE), ids=lambda code: errno.errorcode[code])
def test_each_code_has_its_advice(code: int, capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise OSError(code, os.strerror(code), "runs/x")

    assert said(fail, capsys) == f"runs/x {ADVICE[code]}"


def test_words_of_our_own_and_other_codes_stay(capsys: pytest.CaptureFixture[str]) -> None:
    def fail(*arguments: object) -> None:
        raise OSError(*arguments)

    assert said(lambda: fail("the port 5000 is in use"), capsys) == "the port 5000 is in use"
    assert (
        said(lambda: fail(errno.EXDEV, "Invalid cross-device link", "a", None, "b"), capsys) == "a: Invalid cross-device link"
    )
