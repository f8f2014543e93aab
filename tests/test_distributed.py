"""One training in two processes: the weights, the metrics and the resumption of one process, for every system."""

import multiprocessing
import shutil
import socket
from pathlib import Path
from typing import Any

import distributed_worker
import pytest
import torch
from distributed_worker import DETERMINED, SYSTEMS, train

from rnn_lightning import Batch
from rnn_lightning.processes import rank_and_world_size, shard_batch

Found = list[dict[str, Any]]


def free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return opened.getsockname()[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("two")
    for build in SYSTEMS.items():
        build[1](place / "data" / build[0])
    return place


@pytest.fixture(scope="module")
def two(folder: Path) -> Found:
    """What each of two processes found."""
    port, forks = free_port(), multiprocessing.get_context("fork")
    began = [forks.Process(target=distributed_worker.main, args=(folder, rank, port)) for rank in range(2)]
    for process in began:
        process.start()
    for process in began:
        process.join(300)
    assert [process.exitcode for process in began] == [0, 0]
    return [torch.load(folder / f"rank{rank}.pt", weights_only=True) for rank in range(2)]


def assert_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    """The same weights to 1e-10, the same of everything that was logged to 1e-5 (metrics are kept in float32)."""
    assert (one["ended"], one["step"]) == (other["ended"], other["step"])
    torch.testing.assert_close(one["weights"], other["weights"], atol=1e-10, rtol=0)
    assert len(one["seen"]) == len(other["seen"])
    for seen, expected in zip(one["seen"], other["seen"], strict=True):
        assert seen == pytest.approx(expected, abs=1e-5, rel=1e-5)


@pytest.mark.parametrize("name", DETERMINED)
def test_two_processes_train_as_one(folder: Path, two: Found, name: str) -> None:
    alone = train(name, folder, 1, "alone")
    assert any(key.startswith("train/") for key in alone["seen"][0]) and any(
        key.startswith("test/") for key in alone["seen"][-1]
    )
    for process in two:
        assert_same(process[name], alone)


@pytest.mark.parametrize("name", SYSTEMS)
def test_all_processes_hold_the_same_weights_and_log_the_same(two: Found, name: str) -> None:
    first, second = (process[name] for process in two)
    assert all(torch.equal(weight, second["weights"][part]) for part, weight in first["weights"].items())
    assert first["seen"] == second["seen"] and first["best"] == second["best"]


def test_killed_then_told_to_stop_and_resumed_a_training_of_two_ends_as_if_nothing_had_happened(two: Found) -> None:
    """The second process alone is told to stop: both do, after the same step, and only the first says so to the outside."""
    assert [process["stopped"]["ended"] for process in two] == [143, 0]
    for process in two:
        assert (process["killed"]["step"], process["stopped"]["step"]) == (9, 15)
        whole, resumed = process["noisy"], process["resumed"]
        assert resumed["ended"] == "whole" and resumed["best"] == whole["best"]
        assert all(torch.equal(weight, whole["weights"][part]) for part, weight in resumed["weights"].items())
        assert resumed["seen"] == whole["seen"][-len(resumed["seen"]) :]


def test_what_is_saved_after_a_batch_of_which_a_process_has_no_row_disturbs_nothing(two: Found) -> None:
    for process in two:
        assert_same(process["saved always"], process["documents"])


def test_what_two_processes_began_one_can_end(folder: Path, two: Found) -> None:
    """A checkpoint holds the carried state of all rows."""
    shutil.copytree(folder / "joined" / "left", folder / "joined" / "ended")
    ended = train("joined", folder, 1, "ended")
    whole = two[0]["joined"]
    assert_same({**whole, "seen": whole["seen"][-len(ended["seen"]) :]}, ended)


def test_a_trainer_that_shares_out_batches_is_refused(two: Found) -> None:
    for process in two:
        assert process["refused"]["ended"] == ("batches are shared out by rows: give the Trainer use_distributed_sampler=False")


@pytest.mark.parametrize("processes", [1, 2, 3, 7])
@pytest.mark.parametrize("rows", [0, 1, 2, 6])
def test_every_row_is_one_process_s(monkeypatch: pytest.MonkeyPatch, processes: int, rows: int) -> None:
    whole = Batch(torch.rand(rows, 3), torch.arange(rows), torch.arange(rows), None, torch.ones(rows, dtype=torch.bool))
    seen = []
    for rank in range(processes):
        monkeypatch.setattr("rnn_lightning.processes.rank_and_world_size", lambda rank=rank: (rank, processes))
        own = shard_batch(whole)
        assert own.target_lengths is None
        for row, target in enumerate(own.targets.tolist()):
            assert torch.equal(own.inputs[row], whole.inputs[target])
        seen += own.targets.tolist()
    assert sorted(seen) == list(range(rows))


def test_a_process_alone_is_the_first_of_one() -> None:
    assert rank_and_world_size() == (0, 1)
