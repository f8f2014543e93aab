"""Compiled steps equal PyTorch's double precision; where they cannot be compiled, or not be trusted, all works without."""

import multiprocessing
import shutil
import signal
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from benchmarks.plain_cells import loop
from rnn_lightning.recurrent import CELLS, build_network, kernels
from rnn_lightning.recurrent.kernels import library
from rnn_lightning.sequences import leaves, map_state

OWN, FUSED = ["layernorm_lstm", "peephole_lstm"], ["elman", "elman_relu", "gru", "lstm"]
DRAWN = torch.randn(4, 33, generator=torch.Generator().manual_seed(2))
needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler (cc)")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def _compiled_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A cache for all tests of this file, and nothing loaded before or after."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    library.cache_clear()
    yield
    library.cache_clear()


@pytest.fixture
def cache(_compiled_once: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "rnn_lightning"


def gradients(cell: str, dtype: torch.dtype, form: str) -> list[Tensor]:
    """Outputs, last state and all gradients of 33 hidden units over 9 steps, by the network or a loop over a plain cell."""
    torch.manual_seed(0)
    network = build_network(cell, 7, 33)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    network: Any = network.to(dtype)
    inputs = torch.randn(5, 9, 7).to(dtype).requires_grad_()
    outputs, state = network(inputs) if form == "network" else loop(cell, network.layers[0].cell, inputs)
    memory = state[0][1] if form == "network" else state
    (outputs.sin().sum() + memory.cos().sum()).backward()
    return [outputs, memory, *(part.grad for part in (inputs, *network.parameters()) if part.grad is not None)]


@needs_compiler
@pytest.mark.parametrize("cell", OWN)
def test_compiled_steps_are_those_of_a_plain_cell_in_double_precision(cell: str) -> None:
    assert CELLS[cell].backend_on("cpu") == "own backward pass, compiled"
    found, expected = gradients(cell, torch.float32, "network"), gradients(cell, torch.float64, "loop")
    assert len(found) == len(expected)
    for one, two in zip(found, expected, strict=True):
        torch.testing.assert_close(one.double(), two, rtol=1e-4, atol=1e-5)


@needs_compiler
@pytest.mark.parametrize("lengths", [None, [9, 1, 0, 5, 9], [0, 0, 0, 0, 0], [9] * 5, [0, 0, 1, 0, 0]], ids=str)
@pytest.mark.parametrize("cell", FUSED)
def test_compiled_steps_are_those_of_the_kernel_in_double_precision(cell: str, lengths: list[int] | None) -> None:
    """Two layers, both directions, from a state: outputs, last state and all gradients."""
    assert "own backward pass, compiled" in CELLS[cell].backend_on("cpu") and CELLS[cell].backend_on("cuda") == "fused"
    torch.manual_seed(0)
    network: Any = build_network(cell, 7, 33, 2, bidirectional=True)
    found = []
    for dtype in (torch.float32, torch.float64):
        network = network.to(dtype)
        network.zero_grad()
        draws = torch.Generator().manual_seed(1)
        inputs = torch.randn(5, 9, 7, generator=draws).to(dtype).requires_grad_()
        state = map_state(lambda part: (part + DRAWN).requires_grad_(), network.start(inputs))
        outputs, after = network(inputs, None if lengths is None else torch.tensor(lengths), state)
        (outputs.sin().sum() + sum(part.cos().sum() for part in leaves(after))).backward()
        gradients = [part.grad for part in (inputs, *leaves(state), *network.parameters())]
        found.append([outputs, *leaves(after), *gradients])
    for one, two in zip(*found, strict=True):
        torch.testing.assert_close(one.double(), two, rtol=1e-4, atol=1e-5)


@needs_compiler
@pytest.mark.parametrize("cell", FUSED)
def test_a_state_of_another_precision_is_no_number_of_compiled_steps(cell: str) -> None:
    """Compiled steps read memory as single precision, whatever is there: PyTorch refuses it in its own words."""
    network: Any = build_network(cell, 7, 33)
    inputs = torch.randn(5, 9, 7)
    *others, last = leaves(network.start(inputs))
    state = (*others, last.double()) if others else last.double()
    with pytest.raises((RuntimeError, ValueError)):
        network(inputs, torch.tensor([9, 1, 0, 5, 9]), state)


@needs_compiler
@pytest.mark.parametrize("cell", FUSED)
def test_the_kernel_is_a_word_away(cell: str) -> None:
    """With `at_once` false the kernel computes, whose second derivatives there are."""
    network: Any = build_network(cell, 4, 5)
    inputs, lengths = torch.randn(2, 3, 4, requires_grad=True), torch.tensor([3, 2])
    with pytest.raises(RuntimeError, match="set at_once = False"):
        torch.autograd.grad(network(inputs, lengths)[0].sum(), inputs, create_graph=True)
    network.at_once = False
    (first,) = torch.autograd.grad(network(inputs, lengths)[0].sum(), inputs, create_graph=True)
    (second,) = torch.autograd.grad(first.square().sum(), inputs)
    assert second.abs().sum() > 0 or cell == "elman_relu"  # of which all second derivatives are zero


@pytest.mark.parametrize("cell", OWN)
def test_without_a_compiler_there_is_one_warning_and_the_same_outcome(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.warns(UserWarning, match="slower: there is no C compiler"):
        found = gradients(cell, torch.float32, "network")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gradients(cell, torch.float32, "network")
    assert CELLS[cell].backend_on("cpu") == "own backward pass" and CELLS[cell].backend_on("cuda") == "python loop"
    for one, two in zip(found, gradients(cell, torch.float64, "loop"), strict=True):
        torch.testing.assert_close(one.double(), two, rtol=1e-4, atol=1e-5)


def test_a_compiler_that_fails_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho no such flag >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("CC", str(broken))
    with pytest.warns(UserWarning, match="broken fails: no such flag"):
        assert library() is None


@needs_compiler
def test_the_library_is_compiled_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert library() is not None
    (file,) = cache.iterdir()
    library.cache_clear()
    monkeypatch.setattr(kernels, "_compile", lambda *_: pytest.fail("compiled again"))
    assert library() is not None and file.stat().st_mode & 0o077 == 0


@needs_compiler
def test_what_a_killed_compilation_left_is_removed_by_the_next(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killer = tmp_path / "killer"
    killer.write_text("#!/bin/sh\nkill -KILL $PPID\n")
    killer.chmod(0o755)
    with monkeypatch.context() as patch:
        patch.setenv("CC", str(killer))
        killed = multiprocessing.get_context("fork").Process(target=library)
        killed.start()
        killed.join(60)
    assert killed.exitcode == -signal.SIGKILL and len([*cache.iterdir()]) == 1
    assert library() is not None
    (file,) = cache.iterdir()
    assert file.suffix == ".so"


@needs_compiler
@pytest.mark.parametrize("damage", ["a flipped bit", "open to others", "no folder"])
def test_a_library_that_others_may_have_written_is_not_loaded(
    damage: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert library() is not None
    made: list[Path] = []
    compiling = kernels._compile
    monkeypatch.setattr(kernels, "_compile", lambda *given: (made.append(given[1]), compiling(*given))[1])
    (file,) = cache.iterdir()
    if damage == "no folder":
        shutil.rmtree(cache)
        cache.write_text("")
    else:
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= damage == "a flipped bit"
        file.unlink()  # it is in use here
        file.write_bytes(content)
        file.chmod(0o722 if damage == "open to others" else 0o700)
    library.cache_clear()
    assert library() is not None and len(made) == 1
    assert not made[0].exists() if damage == "no folder" else made[0] == cache  # what is temporary is gone


@needs_compiler
@pytest.mark.parametrize("cell", OWN)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e30])
def test_what_is_no_number_is_treated_as_pytorch_does(cell: str, value: float) -> None:
    inputs = torch.zeros(2, 3, 4)
    inputs[0, 1, 2] = value
    network: Any = build_network(cell, 4, 5)
    with torch.no_grad():
        torch.testing.assert_close(
            network(inputs)[0], loop(cell, network.layers[0].cell, inputs)[0], equal_nan=True, rtol=1e-5, atol=1e-6
        )


@needs_compiler
@pytest.mark.parametrize("cell", FUSED)
def test_torch_func_refuses_to_transform_compiled_steps(cell: str) -> None:
    network: Any = build_network(cell, 4, 5)
    inputs, lengths = torch.randn(2, 3, 4), torch.tensor([3, 2])
    with pytest.raises(RuntimeError, match="functorch"):
        torch.func.grad(lambda given: network(given, lengths)[0].square().sum())(inputs)
