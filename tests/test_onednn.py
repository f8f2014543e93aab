"""Products by oneDNN equal those of PyTorch, in values and in first and second derivatives, whatever the layout in memory."""

from statistics import median
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from documents import ROOT
from torch import Tensor

from benchmarks.products import products_of
from benchmarks.timing import in_turn
from rnn_lightning import products
from rnn_lightning.files import read_json
from rnn_lightning.products import is_large, linear, product

N, I, O = 40, 200, 300  # noqa: E741
MEASURED: dict[str, Any] = read_json(ROOT / "benchmarks/products.json")


@pytest.fixture(autouse=True)
def by_onednn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where PyTorch's own products are faster."""
    monkeypatch.setattr(products, "is_mkl_at_home", lambda: False)


def layouts(rows: int, columns: int) -> dict[str, Tensor]:
    """The same matrix, contiguous, transposed, and a part of something wider."""
    values = torch.randn(rows, columns, generator=torch.Generator().manual_seed(rows))
    wide = torch.zeros(rows, 3, columns)
    wide[:, 1] = values
    return {"contiguous": values, "transposed": values.t().contiguous().t(), "strided": wide[:, 1]}


@pytest.mark.parametrize("of_weight", ["contiguous", "transposed", "strided"])
@pytest.mark.parametrize("of_rows", ["contiguous", "transposed", "strided"])
def test_a_product_is_that_of_pytorch_in_every_layout(of_rows: str, of_weight: str) -> None:
    rows, weight = layouts(N, I)[of_rows], layouts(O, I)[of_weight]
    assert is_large(rows, weight), "PyTorch has no calls for oneDNN's products any more: see rnn_lightning.products"
    expected = rows.double() @ weight.double().t()
    torch.testing.assert_close(product(rows, weight).double(), expected, rtol=1e-5, atol=1e-4)
    assert (product(rows, weight) - expected).abs().max() < 3 * (rows @ weight.t() - expected).abs().max()


@pytest.mark.parametrize("layout", ["transposed", "strided"])
def test_no_layout_takes_much_longer(layout: str) -> None:
    """oneDNN reads some layouts by a reference form that is a thousand times as slow."""
    rows, weight = layouts(N, I), layouts(O, I)
    plain = {"contiguous": lambda: product(rows["contiguous"], weight["contiguous"])}
    times = in_turn({**plain, "other": lambda: product(rows[layout], weight[layout])}, rounds=3, at_least=0.002)
    assert times["other"].least < 20 * times["contiguous"].least


@pytest.mark.parametrize(
    ("rows", "weight"),
    [
        (torch.zeros(N, I).double(), torch.zeros(O, I).double()),
        (torch.zeros(N, I).bfloat16(), torch.zeros(O, I)),
        (torch.zeros(4, I), torch.zeros(3000, I)),
        (torch.zeros(N, 3), torch.zeros(O, 3)),
    ],
    ids=["double", "mixed", "few rows", "small"],
)
def test_others_go_another_way(rows: Tensor, weight: Tensor) -> None:
    assert not is_large(rows, weight)


@pytest.mark.parametrize("rows", [O, I // 2])
def test_the_gradient_of_a_weight_is_the_same_whichever_matrix_is_the_smaller(rows: int) -> None:
    outer, read = torch.randn(500, rows), torch.randn(500, I)
    found = product(outer.t(), read.t())
    assert found.is_contiguous()
    torch.testing.assert_close(found.double(), outer.double().t() @ read.double(), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("vendor", ["GenuineIntel", "AuthenticAMD", "ARM"])
def test_products_are_of_the_library_that_knows_the_processor(vendor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(products, "of_each", lambda key: [vendor] if key == "vendor_id" else [])
    products.is_mkl_at_home.cache_clear()
    try:
        knows_mkl = torch.backends.mkl.is_available() and vendor == "GenuineIntel"
        assert is_large(torch.zeros(N, I), torch.zeros(O, I)) is not knows_mkl
    finally:
        products.is_mkl_at_home.cache_clear()


@pytest.mark.parametrize("processor", MEASURED)
def test_a_processor_is_given_the_faster_products(processor: str) -> None:
    faster = median(row["pytorch_beside_onednn"] for row in MEASURED[processor]["products"])
    assert (MEASURED[processor]["taken"] == "PyTorch") is (faster > 1)


def test_what_is_measured_are_the_products_of_a_layer() -> None:
    weight = torch.randn(32, 8, requires_grad=True)
    of = products_of(3, 2, 8)
    inputs, gradients = of["inputs"][0].requires_grad_(), of["gradient of the inputs"][0]
    (inputs @ of["inputs"][1].t()).backward(gradients)
    torch.testing.assert_close(inputs.grad, product(*of["gradient of the inputs"]))
    (inputs.detach() @ weight.t()).backward(gradients)
    torch.testing.assert_close(weight.grad, product(*of["gradient of the weight"]))


@pytest.mark.parametrize("bias", [False, True])
def test_a_layer_and_its_derivatives_are_those_of_pytorch(bias: bool) -> None:
    inputs, weight = torch.randn(4, 10, I, requires_grad=True), torch.randn(O, I, requires_grad=True)
    constant = torch.randn(O, requires_grad=True) if bias else None
    leaves = [inputs, weight, *([] if constant is None else [constant])]
    found = []
    for layer in (linear, F.linear):
        outputs = layer(inputs, weight, constant)
        first = torch.autograd.grad(outputs.sin().sum(), leaves, create_graph=True)
        second = torch.autograd.grad(sum((part * part).sum() for part in first), leaves)
        found.append([outputs, *first, *second])
    for one, two in zip(*found, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-3, atol=1e-3 * float(two.detach().abs().max()))


def test_without_the_calls_products_are_those_of_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, weight = torch.randn(N, I), torch.randn(O, I, requires_grad=True)
    monkeypatch.setattr(products, "packing_is_there", lambda: False)
    torch.testing.assert_close(linear(rows, weight), F.linear(rows, weight), rtol=0, atol=0)
