"""Arrays mapped from their archive: equal to those that are read, in little memory, and none of their bytes unchecked."""

import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from corpora import contents, made, write_pairs, write_stream

from rnn_lightning import PairModule, StreamModule
from rnn_lightning.archives import write_arrays
from rnn_lightning.corpora import Adding
from rnn_lightning.files import DamagedError, write_sums
from rnn_lightning.mapped import MappedArray, map_arrays
from rnn_lightning.pieces import PIECE, pieces_of, write_pieces

ARRAYS = {
    "tokens": np.arange(100_000, dtype=np.int32),
    "features": np.arange(300, dtype=np.float32).reshape(100, 3),
    "nothing": np.zeros((0, 3)),
    "turned": np.arange(12, dtype=np.float32).reshape(3, 4).T,
    "number": np.array(2.5),
}


def written(folder: Path) -> Path:
    """An archive with the hashes of its pieces."""
    write_arrays(folder / "a.npz", ARRAYS)
    write_pieces(folder / "a.npz")
    return folder / "a.npz"


def test_slices_are_those_of_the_arrays(tmp_path: Path) -> None:
    path = written(tmp_path)
    for hashes in (None, pieces_of(path).read_bytes()):
        mapped = map_arrays(path, hashes)
        assert list(mapped) == list(ARRAYS)
        for name, array in ARRAYS.items():
            assert mapped[name].shape == array.shape and mapped[name].dtype == array.dtype
            for place in (slice(None), slice(2, 5), slice(3, 1), slice(-2, None), slice(7, 10**9)) if array.ndim else ():
                np.testing.assert_array_equal(mapped[name][place], array[place], strict=True)
    assert {name for name, array in mapped.items() if isinstance(array, MappedArray)} == {"tokens", "features", "nothing"}


def test_nothing_can_be_written_into_a_map(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="read-only"):
        map_arrays(written(tmp_path))["tokens"][:5][0] = 1


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_archives_that_a_person_wrote_are_read_too(save: object, tmp_path: Path) -> None:
    save(tmp_path / "a.npz", **ARRAYS)  # type: ignore[operator]
    for name, array in map_arrays(tmp_path / "a.npz").items():
        np.testing.assert_array_equal(np.asarray(array[:] if array.shape else array), ARRAYS[name], strict=True)
    data = bytearray((tmp_path / "a.npz").read_bytes())
    data[5000] ^= 1
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(ValueError, match=r"a.npz is damaged: "):
        map_arrays(tmp_path / "a.npz")


def test_a_piece_is_refused_when_it_is_read_and_no_other(tmp_path: Path) -> None:
    path = written(tmp_path)
    data = bytearray(path.read_bytes())
    data[3 * PIECE] ^= 1
    path.write_bytes(data)
    tokens = map_arrays(path, pieces_of(path).read_bytes())["tokens"]
    assert tokens[: PIECE // 4].tolist() == list(range(PIECE // 4))
    with pytest.raises(DamagedError, match=r"a.npz is damaged, its bytes 196608 to 262144 are not those that were written"):
        tokens[3 * PIECE // 4 :]


def test_every_flipped_byte_is_found_by_whoever_reads_all(tmp_path: Path) -> None:
    write_arrays(tmp_path / "a.npz", {"tokens": np.arange(50, dtype=np.int32), "scored": np.ones(50, bool)})
    write_pieces(tmp_path / "a.npz")
    path, whole = tmp_path / "a.npz", (tmp_path / "a.npz").read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        with pytest.raises(ValueError, match=r"a.npz is damaged"):
            map_arrays(path, pieces_of(path).read_bytes())


@pytest.mark.parametrize("size", [0, 10, PIECE, -100, -1])
def test_a_file_cut_short_is_refused(size: int, tmp_path: Path) -> None:
    path = written(tmp_path)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ValueError, match=r"a.npz is damaged"):
        map_arrays(path, pieces_of(path).read_bytes())


def test_the_pages_of_a_map_are_given_back_and_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rnn_lightning.mapped.RESIDENT", 1000)
    tokens = map_arrays(written(tmp_path))["tokens"]
    parts = [tokens[start : start + 99] for start in range(0, 100_000, 99)]
    assert np.concatenate(parts).tolist() == list(range(100_000))


def test_a_dataset_goes_to_another_process_without_its_arrays(tmp_path: Path) -> None:
    dataset = StreamModule(write_stream(tmp_path, tokens=200_000), batch_size=4, steps=5).dataset("train")
    sent = pickle.dumps(dataset)
    assert len(sent) < 10_000
    assert torch.equal(pickle.loads(sent)[7].inputs, dataset[7].inputs)


def test_what_the_pipeline_writes_is_mapped_and_a_damaged_piece_of_it_refused(tmp_path: Path) -> None:
    folder = made(Adding(rows={"train": 3000, "validation": 5, "test": 5}, seed=1, steps=20), tmp_path) / "processed"
    assert {"train.npz", "train.pieces", "validation.pieces", "test.pieces"} < set(contents(folder))
    module = PairModule(folder, batch_size=3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(list(module.train_dataloader())) == 1000
    data = bytearray((folder / "train.npz").read_bytes())
    data[2 * PIECE + 5] ^= 1
    (folder / "train.npz").write_bytes(data)
    with pytest.raises(DamagedError, match=r"train.npz is damaged, .* preprocess the corpus again"):
        list(PairModule(folder, batch_size=3).train_dataloader())
    (folder / "train.pieces").write_bytes(bytes(len((folder / "train.pieces").read_bytes())))
    with pytest.raises(DamagedError, match=r"train.pieces is damaged.* preprocess the corpus again"):
        PairModule(folder, batch_size=3).dataset("train")


def test_folders_without_hashes_of_pieces_are_compared_as_a_whole(tmp_path: Path) -> None:
    write_sums(write_pairs(tmp_path))
    assert len(list(PairModule(tmp_path, batch_size=6).train_dataloader())) == 10
    data = bytearray((tmp_path / "train.npz").read_bytes())
    data[700] ^= 1
    (tmp_path / "train.npz").write_bytes(data)
    with pytest.raises(DamagedError, match=r"train.npz is damaged, its SHA-256 is .*: preprocess the corpus again"):
        PairModule(tmp_path, batch_size=6).dataset("train")
