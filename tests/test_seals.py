"""Files that state their own SHA-256: every flipped bit is found, what was changed by hand is possible and said."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.results import read_results, store
from pipelines.runs.provenance import note_environment, versions
from pipelines.settings import compose as composing
from pipelines.settings.compose import CONF, compose
from pipelines.settings.seals import check_seal
from pipelines.settings.tuned import said_of_tuned

ROOT = Path(__file__).resolve().parent.parent
TUNED = ["task=sequoia_words", "rnn=gru"]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[Path, Callable[[], object]]:
    """A file of each kind, with what reads it."""
    shutil.copytree(CONF, tmp_path / "conf")
    shutil.copy(ROOT / "results/dates.json", tmp_path)
    monkeypatch.setattr(composing, "CONF", tmp_path / "conf")
    note_environment(tmp_path, versions())
    return {
        tmp_path / "dates.json": lambda: read_results(tmp_path / "dates.json"),
        tmp_path / "conf/tuned/sequoia_words-gru.yaml": lambda: compose(TUNED),
        tmp_path / "environments.json": lambda: note_environment(tmp_path, versions()),
    }


def missed(file: Path, read: Callable[[], object], count: int) -> list[str]:
    """What ``count`` flipped bits of the file were not found in, or not in one line that names the file."""
    draws, whole, wrong = random.Random(0), file.read_bytes(), []
    for _ in range(count):
        place, bit = draws.randrange(len(whole)), draws.randrange(8)
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :])
        said = "nothing"
        try:
            read()
        except ValueError as error:
            said = str(error)
        if "\n" in said or file.name not in said:
            wrong.append(f"{file.name} byte {place} bit {bit}: {said}")
    file.write_bytes(whole)
    return wrong


def test_a_flipped_bit_of_a_sealed_file_is_found(files: dict[Path, Callable[[], object]]) -> None:
    assert [line for file, read in files.items() for line in missed(file, read, 12)] == []


@pytest.mark.slow
def test_a_thousand_flipped_bits_of_each_sealed_file_are_found(files: dict[Path, Callable[[], object]]) -> None:
    assert [line for file, read in files.items() for line in missed(file, read, 1000)] == []


@pytest.mark.parametrize("folder", ["results", "conf/tuned"])
def test_the_files_of_this_project_are_sealed(folder: str) -> None:
    unsealed = [file.name for file in (ROOT / folder).iterdir() if not check_seal(file, again="seal it")]
    assert set(unsealed) <= {"none.yaml"}


def test_results_of_earlier_versions_load_and_are_sealed_when_they_are_stored(
    files: dict[Path, Callable[[], object]], tmp_path: Path
) -> None:
    file = tmp_path / "dates.json"
    before = read_results(file)
    file.write_text(without_seal(file))
    assert read_results(file) == before
    store(tmp_path / "runs", tmp_path, "dates")
    assert check_seal(file, again="") and read_results(file) == before


def test_a_tuned_file_is_changed_by_hand_without_its_hash_and_a_run_says_so(files: dict[Path, Callable[[], object]]) -> None:
    file = next(file for file in files if file.suffix == ".yaml")
    assert not [line for line in said_of_tuned(compose(TUNED)) if "by hand" in line]
    changed = file.read_text().replace("dropout: 0.1", "dropout: 0.2")
    file.write_text(changed)
    with pytest.raises(ValueError, match=r"gru\.yaml is damaged, .*; if it was changed by hand, take out its line sha256"):
        compose(TUNED)
    file.write_text(without_seal(file))
    experiment = compose(TUNED)
    assert experiment.plain(1)["task"]["model"]["dropout"] == 0.2
    assert [line for line in said_of_tuned(experiment) if "states no SHA-256: its values may have been changed by hand" in line]
    file.write_text("# @package _global_\ntask: {model: {dropout: 0.2}}\n")
    with pytest.raises(ValueError, match=r"gru\.yaml must say what it is: give it `tuning: "):
        compose(TUNED)


def test_the_hash_of_a_tuned_file_is_no_part_of_a_run(files: dict[Path, Callable[[], object]]) -> None:
    experiment = compose(TUNED)
    assert experiment.tuning and "sha256" in experiment.tuning and "sha256" not in experiment.plain(1)["tuning"]


def without_seal(file: Path) -> str:
    return "".join(line for line in file.read_text().splitlines(keepends=True) if "sha256" not in line)


@pytest.mark.parametrize("text", ["a: [", "a: \x00", "a: ${", "a: *b", "\tb: 1"])
def test_a_file_of_settings_that_is_no_yaml_is_refused_in_one_line(
    files: dict[Path, Callable[[], object]], tmp_path: Path, text: str
) -> None:
    (tmp_path / "conf/task/mine.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"\w") as refused:
        compose(["task=mine"])
    assert "\n" not in str(refused.value)
