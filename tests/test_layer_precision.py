"""What layers compute in is measured: it is what their tensors were of, it changes no bit, and unlike runs are marked."""

from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from run_folders import make_run, make_task, trained_in
from torch import Tensor, nn

from pipelines.comparing.sections import Section
from pipelines.comparing.summary import rows
from pipelines.runs.computed import computed_in, parts_of
from pipelines.runs.folders import read_run
from pipelines.settings.tasks import Task, task_of_runs
from rnn_lightning import Batch, LanguageModel
from rnn_lightning.files import read_json
from rnn_lightning.layer_precision import LayerPrecision
from rnn_lightning.recurrent import CELLS

BF16, SINGLE = ["bfloat16"], ["float32"]


class Parts(nn.Module):
    """Layers of which it is known what they compute in under autocast: products in bfloat16, a normalisation in float32."""

    def __init__(self) -> None:
        super().__init__()
        self.look_up = nn.Embedding(5, 4)
        self.product = nn.Linear(4, 4)
        self.gate = Gate()
        self.norm = nn.LayerNorm(4)
        self.exact = Exact()

    def forward(self, tokens: Tensor) -> Tensor:
        return self.exact(self.norm(self.gate(self.product(self.look_up(tokens))))).sigmoid().mean()


class Gate(nn.Linear):
    def __init__(self) -> None:
        super().__init__(4, 4)

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input).sigmoid() * torch.ones(4)


class Exact(nn.Linear):
    def __init__(self) -> None:
        super().__init__(4, 4)

    def forward(self, input: Tensor) -> Tensor:
        with torch.autocast("cpu", enabled=False):
            return super().forward(input.float())


def test_the_types_are_those_of_the_tensors() -> None:
    model, tokens = Parts(), torch.tensor([[0, 1], [2, 3]])
    with LayerPrecision(model) as plain:
        model(tokens)
    with torch.autocast("cpu", torch.bfloat16), LayerPrecision(model) as mixed:
        model(tokens)
    layers = ("product", "gate", "norm", "exact")
    assert {name: {*types["products"], *types["others"]} for name, types in plain.layers.items()} == {
        **{name: {"float32"} for name in layers},
        "loss": {"float32"},
    }
    assert mixed.layers == {
        "product": {"products": BF16, "others": []},
        "gate": {"products": BF16, "others": ["bfloat16", "float32"]},
        "norm": {"products": [], "others": SINGLE},
        "exact": {"products": SINGLE, "others": []},
        "loss": {"products": [], "others": SINGLE},
    }
    assert parts_of(mixed.layers)["gate"] == "bfloat16 products, the rest bfloat16 and float32"
    assert computed_in(plain.layers) == "float32" and not computed_in({})
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in model.modules())


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("mixed", [False, True])
def test_what_is_measured_has_the_bits_of_what_is_not(cell: str, mixed: bool) -> None:
    torch.manual_seed(0)
    model = LanguageModel(9, {"cell": cell, "hidden_size": 8, "num_layers": 2}, 8)
    batch = Batch(torch.randint(9, (3, 6)), torch.tensor([6, 2, 4]), torch.randint(9, (3, 6)))
    found = []
    for measured in (LayerPrecision(model), nullcontext()):
        model.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed), measured:
            loss, _ = model.loss_on(batch, "train")
        loss.backward()
        found.append([loss, *(weight.grad for weight in model.parameters())])
        if isinstance(measured, LayerPrecision) and not mixed:
            assert computed_in(measured.layers) == "float32"
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def compared(place: Path, **layers: dict) -> Section:
    make_task(place, "made_up")
    read = []
    for rnn, types in layers.items():
        folder = make_run(place, "made_up", rnn, 1, {"test/loss": 1.0}, precision="bf16-mixed, highest", layers=types)
        read.append(read_run(folder))
    task: Task = task_of_runs(place / "conf", "made_up", [run.config for run in read], {})
    return Section(task, rows(read, task), [], [])


def test_runs_of_layers_in_other_precisions_are_marked(tmp_path: Path) -> None:
    low = {"network.core": {"products": BF16, "others": []}, "output": {"products": BF16, "others": []}}
    part = {**low, "network.core": {"products": BF16, "others": SINGLE}}
    unlike = compared(tmp_path / "unlike", lstm=low, gru=part, elman={})
    assert unlike.warnings() == [
        "not like for like: network was computed in bfloat16 (LSTM); bfloat16 products, the rest float32 (GRU); "
        "a precision that was not recorded (Elman RNN (tanh))"
    ]
    alike = compared(tmp_path / "alike", lstm=low, gru={"network.layers.0": low["network.core"], "output": low["output"]})
    assert not alike.warnings()
    assert ["computed in", "bfloat16"] in alike.facts()
    assert ["computed in, LSTM", "bfloat16"] in unlike.facts()


def test_a_training_records_what_its_layers_computed_in(tmp_path: Path) -> None:
    with trained_in(tmp_path, "trainer=cpu_bf16") as folder:
        layers = read_json(folder / "training.json")["layers"]
    assert layers["network.core"]["products"] == BF16 and "float32" in layers["network.core"]["others"]
    assert computed_in(layers).startswith("network bfloat16 products, the rest ")
