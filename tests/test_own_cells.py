"""A network of a user's own package by its path: allowed by the environment alone, tried as it is built, trained."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from run_folders import trained_in

from pipelines.runs.code import OWN_NETWORKS as SAME
from pipelines.runs.code import own_code
from pipelines.runs.provenance import key_of
from pipelines.runs.remarks import remarks
from rnn_lightning import SequenceClassifier, build_network, check_invariance
from rnn_lightning.files import read_json, sha256, write_json, write_sums
from rnn_lightning.recurrent import OWN_NETWORKS

MODULE = """
import torch
import torch.nn.functional as F
from rnn_lightning import Recurrent
from rnn_lightning.recurrent import Cell


class Leaky(Recurrent):
    "An average that forgets at a rate that it learns, of what a layer makes of the inputs."

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.input_size, self.output_size = input_size, hidden_size
        self.layer, self.rate = torch.nn.Linear(input_size, hidden_size), torch.nn.Parameter(torch.zeros(hidden_size))

    def start(self, inputs):
        return inputs.new_zeros(len(inputs), self.output_size)

    def read(self, inputs, lengths, state):
        keep, outputs = self.rate.sigmoid(), []
        for time, step in enumerate(self.layer(inputs).unbind(1)):
            after = keep * state + (1 - keep) * step.tanh()
            state = after if lengths is None else torch.where((time < lengths).unsqueeze(1), after, state)
            outputs.append(state)
        return torch.stack(outputs, 1), state


class Wide(Leaky):
    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, 2 * hidden_size)


class Alone(Leaky):
    def __init__(self, input_size):
        super().__init__(input_size, 4)


class Plain(torch.nn.Module):
    pass


class Additive(Cell):
    "The recurrent additive network (Lee et al. 2017, arXiv:1705.07393), whose candidate reads the input alone."

    label, gates, has_recurrent_weight = "RAN", ("candidate", "input", "forget"), False

    def extra_parameters(self):
        size = self.hidden_size
        return {f"recurrent_weight_{gate}": torch.nn.init.orthogonal_(torch.empty(size, size)) for gate in self.gates[1:]}

    def start(self, inputs):
        return self.zeros(inputs), self.zeros(inputs)

    def project(self, inputs):
        return F.linear(inputs, self.input_weight, self.bias)

    def step(self, projected, state):
        hidden, memory = state
        candidate, into, keep = projected.chunk(3, 1)
        into = (into + hidden @ self.recurrent_weight_input.t()).sigmoid()
        keep = (keep + hidden @ self.recurrent_weight_forget.t()).sigmoid()
        memory = into * candidate + keep * memory
        return memory.tanh(), (memory.tanh(), memory)


class Half(Cell):
    gates = ("forget",)

    def start(self, inputs):
        return self.zeros(inputs)


class Gateless(Additive):
    gates = ()


class Worded(Additive):
    gates = "forget"


class Numbered(Additive):
    label = 3
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file of the module, which may be imported."""
    name = f"mine_{os.getpid()}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv(OWN_NETWORKS, f"another,{name}")
    yield tmp_path / f"{name}.py"
    sys.modules.pop(name, None)


def test_a_stack_of_them_keeps_the_laws(package: Path) -> None:
    rnn = {"cell": f"{package.stem}.Leaky", "hidden_size": 4, "num_layers": 2, "bidirectional": True, "residual": True}
    check_invariance(SequenceClassifier(rnn, 3, num_classes=2))
    network = build_network(input_size=3, **rnn | {"bidirectional": False, "residual": False})
    inputs, rate = torch.randn(2, 5, 3), torch.full((4,), 0.5)
    first = network.get_submodule("layers.0")
    right, state = [], torch.zeros(2, 4)
    for step in inputs.unbind(1):
        state = rate * state + (1 - rate) * first.get_submodule("layer")(step).tanh()
        right.append(state)
    torch.testing.assert_close(first(inputs)[0], torch.stack(right, 1))


def test_only_the_environment_allows_it(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OWN_NETWORKS, "another")
    with pytest.raises(ValueError, match=rf"is of the package {package.stem}, which may not be imported: {OWN_NETWORKS}="):
        build_network(f"{package.stem}.Leaky", 3, 4)
    assert package.stem not in sys.modules and own_code({"cell": f"{package.stem}.Leaky"}) is None


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Wide", r"must read 3 features and make 4, not \(3, 8\)"),
        ("Alone", r"is made by its class with \(input_size, hidden_size\): .*takes 2 positional"),
        ("Plain", "must be a class of rnn_lightning.Recurrent, with start and read, or of rnn_lightning.recurrent.Cell"),
        ("Half", "lacks project, step, label$"),
        ("None_", "cannot be imported"),
        ("Gateless", r"cell '.*': gates must be a list of at least 1 names, all different, not \(\)"),
        ("Worded", "cell '.*': gates must be a list of at least 1 names, all different, not 'forget'"),
        ("Numbered", "cell '.*': label must be text, not 3"),
        ("", "must be the path of a class, such as my_package.MyClass"),
    ],
)
def test_what_is_no_layer_is_refused(package: Path, name: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        build_network(f"{package.stem}.{name}", 3, 4)
    with pytest.raises(ValueError, match=r"must be 'auto' for layers without kernels .a network of your own."):
        build_network(f"{package.stem}.Leaky", 3, 4, backend="triton")
    with pytest.raises(ValueError, match="init must be left out"):
        build_network(f"{package.stem}.Leaky", 3, 4, init="uniform")


@pytest.mark.parametrize("line", ["raise RuntimeError('two\\nlines')", "a = = 1", "raise SystemExit(0)", "1 / 0"])
def test_a_package_that_fails_as_it_is_imported_is_named_with_why(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "failing_package.py").write_text(f"\n{line}\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv(OWN_NETWORKS, "another, failing_package")
    with pytest.raises(ValueError, match=r"^cell 'failing_package.X' cannot be imported: \w+: .*, line \d+\)$"):
        build_network("failing_package.X", 3, 4)


@pytest.mark.parametrize("code", ["1 / 0", "raise SystemExit(0)", None])
def test_code_that_is_not_there_any_more_has_no_hash(code: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if code is not None:
        (tmp_path / "failing_folder").mkdir()
        (tmp_path / "failing_folder/__init__.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv(OWN_NETWORKS, "failing_folder")
    assert own_code({"cell": "failing_folder.cell.X"}) is None


@pytest.mark.parametrize(
    ("cell", "said"), [(".mine", "must be the path of a class"), ("mine", "'my_package.MyCell'], not 'mine'")]
)
def test_a_path_that_is_none_is_told_what_one_is(cell: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        build_network(cell, 3, 4)


def test_a_cell_is_one_of_the_table(package: Path) -> None:
    path = f"{package.stem}.Additive"
    options = {"num_layers": 2, "bidirectional": True, "weight_drop": 0.5}
    check_invariance(SequenceClassifier({"cell": path, "hidden_size": 4, **options}, 3, num_classes=2).eval())
    torch.manual_seed(1)
    network = build_network(path, 3, 64, init={"uniform": 0.1}, forget_bias={"chrono": 9})
    drawn = {name.rsplit(".", 1)[-1]: weight for name, weight in network.named_parameters()}
    assert sorted(drawn) == ["bias", "input_weight", "recurrent_weight_forget", "recurrent_weight_input"]
    for name, weight in drawn.items():
        assert name == "bias" or 0.09 < weight.abs().max() <= 0.1
    memory = drawn["bias"][128:].exp()
    assert memory.min() >= 1 and memory.max() <= 8 and torch.equal(drawn["bias"][64:128], -drawn["bias"][128:])
    for name in ("recurrent_weight_input", "recurrent_weight_forget"):
        (weight,) = (value for key, value in build_network(path, 3, 4).named_parameters() if key.endswith(name))
        torch.testing.assert_close(weight @ weight.t(), torch.eye(4))


def test_it_trains_in_the_pipeline_and_its_code_is_part_of_the_run(package: Path, tmp_path: Path) -> None:
    cell = f"{package.stem}.Leaky"
    with trained_in(tmp_path / "place", f"rnn.cell={cell}", rnn="lstm") as folder:
        facts = read_json(folder / "training.json")
        again = SequenceClassifier.load_from_checkpoint(folder / "model.ckpt")
        write_json(folder / "predictor.json", {"predictor": "regression", "files": [], "inputs": None, "value": "sum"})
        write_sums(folder)
        assert [*remarks(folder)] == []
        package.write_text(package.read_text().replace("tanh", "sin"))
        assert [*remarks(folder)] == [
            f"{folder}: the code of {cell} is not that of the training, so the network may be another: train again"
        ]
        package.write_text(package.read_text().replace("sin", "tanh"))
    assert (facts["label"], facts["backend"], facts["own_code"]) == ("Leaky", "own", sha256(package))
    assert type(again.network.get_submodule("layers.0")).__name__ == "Leaky"
    assert key_of(facts) != key_of(facts | {"own_code": "other"}) and SAME == OWN_NETWORKS
