"""A network of a user's own that breaks the contract is refused when a system is built around it, in words that say how."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rnn_lightning import Recurrent, SequenceClassifier, check_invariance
from rnn_lightning.recurrent import CELLS, Cell, build_network


class Own(Recurrent):
    """A GRU of PyTorch's, as a user would wrap it; ``broken`` says in which way it is wrong."""

    def __init__(self, broken: str = "") -> None:
        super().__init__()
        self.broken = broken
        self.input_size, self.output_size = 3, 4
        self.core = nn.GRU(3, 4, batch_first=True)
        if broken == "size":
            del self.output_size

    def start(self, inputs: Tensor) -> Any:
        if self.broken == "start":
            return [inputs.new_zeros(len(inputs), 4)]
        return inputs.new_zeros(1, len(inputs), 4) if self.broken == "rows" else inputs.new_zeros(len(inputs), 4)

    def read(self, inputs: Tensor, lengths: Tensor | None, state: Any) -> Any:
        outputs, last = self.core(inputs, state.unsqueeze(0))
        if self.broken == "outputs":
            return outputs[:, -1], last[0]
        if self.broken == "state":
            return outputs, (last[0],)
        if self.broken == "width":
            return outputs, torch.cat([last[0], last[0]], 1)
        if self.broken == "lengths" and lengths is not None:
            return outputs + lengths, last[0]
        return outputs if self.broken == "alone" else (outputs, last[0])


class WithoutLengths(Own):
    def read(self, inputs: Tensor, state: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self.core(inputs, state)


SAID = {
    "size": "rnn, a Own, must say its output_size, a whole number from 1 on, not None",
    "start": "must start to a state that is a tensor or a tuple of states, not [",
    "rows": "must start to a state of 2 rows, as the inputs have, not a tensor of shape (1, 2, 4)",
    "outputs": "to outputs (B, T, H) of shape (2, 3, 4), not a tensor of shape (2, 4)",
    "state": "must read to a state like that of start, (4,) behind the rows, not (a tensor of shape (2, 4))",
    "width": "must read to a state like that of start, (4,) behind the rows, not a tensor of shape (2, 8)",
    "lengths": "fails in read(inputs, lengths, state) on inputs of shape (B, T, F): The size of tensor a (4)",
    "alone": "must read to the outputs and the state after them, not to a tensor of shape (2, 3, 4)",
}


@pytest.mark.parametrize("broken", SAID)
def test_what_breaks_the_contract_is_refused_as_it_is_given(broken: str) -> None:
    with pytest.raises(ValueError) as error:
        SequenceClassifier(Own(broken), 3, num_classes=2)
    assert SAID[broken] in str(error.value)


def test_a_missing_argument_is_named() -> None:
    with pytest.raises(ValueError, match=r"WithoutLengths, fails in read\(inputs, lengths, state\).*takes 3 positional"):
        SequenceClassifier(WithoutLengths(), 3, num_classes=2)


@pytest.mark.parametrize("cell", CELLS)
def test_networks_of_the_package_pass_and_stay_as_they_are(cell: str) -> None:
    network = build_network(cell, 3, 4, num_layers=2, bidirectional=True, dropout=0.5)
    network.train()
    next(iter(network.children())).eval()
    modes, before = [module.training for module in network.modules()], torch.random.get_rng_state()
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    from rnn_lightning.recurrent.given import check_given

    check_given("rnn", network)
    assert modes == [module.training for module in network.modules()]
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(torch.equal(value, weights[name]) for name, value in network.state_dict().items())


def test_a_right_network_is_taken() -> None:
    model = SequenceClassifier(Own(), 3, num_classes=2)
    assert model.network.training and model(torch.zeros(2, 5, 3))[0].shape == (2, 2)


def first(network: Cell, projected: Tensor, state: Any) -> Any:
    """The output of a step without the state."""
    return Cell.zeros(network, projected)


def in_place(which: int) -> Any:
    """A step that changes what it is given: the projected inputs, or the state."""

    def step(self: Cell, *given: Any) -> Any:
        after = given[which].mul_(0.5) + given[1 - which]
        return after, after

    return step


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "no gates": ({"gates": None}, "lacks gates"),
    "a text": ({"gates": "candidate"}, "gates must be a list of at least 1 names"),
    "no state": ({"start": lambda self, inputs: 0}, "must start to a state that is a tensor or a tuple of states, not 0"),
    "output alone": ({"step": first}, r"must step to a pair, the output \(B, H\) and the next state"),
    "wide output": ({"step": lambda self, projected, state: (projected.repeat(1, 2), state)}, r"output of shape \(2, 4\), not"),
    "other state": ({"step": lambda self, projected, state: (projected, (state,))}, "must step to a state like that of start"),
    "one step": ({"project": lambda self, inputs: inputs[:, 0]}, r"must project \(B, T, F\) to \(B, T, P\)"),
    "a number": ({"extra_parameters": lambda self: {"scale": 1.0}}, "must give tensors by name, not 1.0 as 'scale'"),
    "taken": ({"extra_parameters": lambda self: {"bias": torch.zeros(3)}}, "names of their own: 'bias' is there already"),
    "a method": ({"extra_parameters": lambda self: {"step": torch.zeros(3)}}, "names of their own: 'step' is there already"),
    "a path": ({"extra_parameters": lambda self: {"a.b": torch.zeros(3)}}, "letters, digits and underscores, not 'a.b'"),
    "changed state": ({"step": in_place(1)}, r"must leave the state that step is given as they are, .* in place \(as x.mul_"),
    "changed inputs": ({"project": lambda self, inputs: inputs.add_(1)[..., :1].repeat(1, 1, 4)}, "the inputs that project is"),
    "changed": ({"step": in_place(0)}, "must leave the projected that step is given"),
    "one sequence": ({"sequence": lambda self, inputs, state: inputs}, "a sequence of the outputs and the states after each"),
    "few steps": ({"sequence": lambda self, inputs, state: (inputs[:1],) * 2}, r"outputs \(T, B, H\) of shape \(3, 2, 4\)"),
    "one state": ({"sequence": lambda self, inputs, state: (inputs, state)}, r"states \(T, B, ...\), T 3 and B 2 here, not"),
    "other states": ({"sequence": lambda self, inputs, state: (inputs, (inputs,))}, "bring a sequence to a state like that of"),
    "no options": ({"__init__": lambda self, input_size, hidden_size: None}, r"\(input_size, hidden_size, \*\*options\)"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_cell_that_makes_no_step_is_refused_as_it_is_built(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = {
        **{"label": "Mine", "gates": ("candidate",), "start": lambda self, inputs: self.zeros(inputs)},
        **{"project": lambda self, inputs: inputs @ self.input_weight.t() + self.bias},
        "step": lambda self, projected, state: ((projected + state).tanh(),) * 2,
    }
    monkeypatch.setitem(CELLS, "mine", type("Mine", (Cell,), whole))
    check_invariance(build_network("mine", 3, 4, 2, bidirectional=True).eval())
    changes, said = BROKEN[kind]
    monkeypatch.setitem(CELLS, "mine", type("Mine", (Cell,), whole | changes))
    with pytest.raises(ValueError, match=said):
        build_network("mine", 3, 4)
