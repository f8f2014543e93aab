"""Kernels in Triton compute where they are asked for alone, and say why where they cannot.

Shapes: F features in.
"""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import rnn_lightning.kernels
from pipelines.runs.provenance import kernels_of, provenance
from pipelines.settings.compose import compose
from rnn_lightning import LanguageModel, prepared
from rnn_lightning.files import write_json, write_sums
from rnn_lightning.items.folders import DESCRIPTION
from rnn_lightning.predictors.base import load_system
from rnn_lightning.recurrent import CELLS, build_network, choose_backend

pytest.importorskip("triton", reason="Triton is not installed: pip install 'rnn-lightning[triton]'")

from rnn_lightning.kernels import tiles

F = 2


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"cell": "lstm", "backend": "cuda"}, r"backend must be one of \['auto', 'triton', 'triton_recompute'\], not 'cuda'"),
        (
            {"cell": "elman", "backend": "triton"},
            r"without kernels \(Elman RNN \(tanh\)\): it is for lstm, gru, layernorm_lstm",
        ),
    ],
)
def test_a_backend_that_there_is_not_is_refused(keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build_network(input_size=F, hidden_size=4, **keywords)


def test_kernels_never_fall_back_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    network = build_network("gru", F, 4, backend="triton")
    monkeypatch.setattr(tiles, "interpreted", lambda: False)
    with pytest.raises(
        ValueError, match=r"for tensors on a GPU, and these are on the device 'cpu': .*choose_backend\(network, 'auto'\)"
    ):
        network(torch.randn(2, 3, F))
    monkeypatch.setattr(rnn_lightning.kernels, "find_spec", lambda _: None)
    with pytest.raises(ValueError, match=r"needs Triton, which is not installed: pip install 'rnn-lightning\[triton\]'"):
        network(torch.randn(2, 3, F))
    choose_backend(network, "auto")
    network(torch.randn(2, 3, F))


def test_models_for_answers_have_no_kernels(tmp_path: Path) -> None:
    model = LanguageModel(7, {"cell": "gru", "hidden_size": 4, "backend": "triton"})
    model.save_pretrained(tmp_path / "model")
    write_json(tmp_path / "model" / DESCRIPTION, {"predictor": "language", "files": []})
    write_sums(tmp_path / "model")
    for found in (load_system(LanguageModel, tmp_path / "model"), prepared(model)):
        assert {part.chosen_backend for part in found.modules() if hasattr(part, "chosen_backend")} == {"auto"}


def test_triton_is_imported_where_it_is_asked_for_alone() -> None:
    read = "[rnn_lightning.build_network(cell, 2, 4)(torch.zeros(1, 2, 2)) for cell in rnn_lightning.CELLS]"
    asked = f"import sys, torch, rnn_lightning; {read}; print('triton' in sys.modules)"
    root = Path(__file__).parents[1]
    assert (
        subprocess.run([sys.executable, "-c", asked], cwd=root, check=True, capture_output=True, text=True).stdout == "False\n"
    )


def test_the_record_of_a_run_says_what_computed_it(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["task=adding", "rnn=gru", "+rnn.backend=triton", "trainer.accelerator=cpu"]
    record = provenance(compose(words), 1, "data")
    assert record["backend"] == record["versions"]["backend"] == "triton"
    assert provenance(compose(words[:2]), 1, "data")["backend"] == CELLS["gru"].backend_on("cpu")
    monkeypatch.setattr(tiles, "interpreted", lambda: False)
    with pytest.raises(ValueError, match="backend='triton' is for tensors on a GPU"):
        provenance(compose(words), 1, "data")


def test_the_default_is_a_kernel_nowhere() -> None:
    assert not {architecture.backend_on(device) for architecture in CELLS.values() for device in ("cpu", "cuda")} & {"triton"}
    assert {architecture.chosen_backend for architecture in CELLS.values()} == {"auto"}


def test_second_derivatives_are_refused() -> None:
    for cell in ("lstm", "mingru"):
        network, inputs = build_network(cell, F, 4), torch.randn(2, 2, F, requires_grad=True)
        choose_backend(network, "triton")
        with pytest.raises(RuntimeError, match="asks for second derivatives, which a"):
            torch.autograd.grad(network(inputs)[0].sum(), inputs, create_graph=True)


@pytest.mark.parametrize("mask", ["zoneout", "zoneout_cell", "recurrent_dropout"])
@pytest.mark.parametrize("cell", ["lstm", "layernorm_lstm"])
def test_masks_at_each_step_are_refused(cell: str, mask: str) -> None:
    keywords: dict[str, Any] = {mask: 0.1}
    with pytest.raises(ValueError, match="must be 'auto' with masks at each step"):
        build_network(cell, F, 4, backend="triton", **keywords)


def test_a_backend_or_a_cell_without_kernels_is_refused_before_the_device_is() -> None:
    with pytest.raises(ValueError, match="backend must be one of"):
        kernels_of({"backend": "tritom"}, "cpu", CELLS["gru"])
    assert kernels_of({"backend": "triton"}, "cpu", CELLS["janet"]) == "triton"  # which `build_network` refuses then
