"""The laws hold for what keeps them, and the check finds whoever breaks one.

Shapes: B rows, T steps, F features, V tokens, C classes.
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rnn_lightning import CTCRecognizer, LanguageModel, SequenceClassifier
from rnn_lightning.laws import LAWS, LawBroken, check_invariance
from rnn_lightning.recurrent import CELLS, Recurrent, build_network
from rnn_lightning.sequences import State, length_mask, map_state

F, H, V = 3, 4, 11
TOKENS = torch.randint(V, (4, 6), generator=torch.Generator().manual_seed(0))


class Speller(nn.Module):
    """A stand-in for a system with one output a step: tokens (B, T) to logits (B, T, V)."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.network, self.output = nn.Embedding(V, F), build_network("gru", F, H), nn.Linear(H, V)

    def forward(self, tokens: Tensor, lengths: Tensor | None = None, state: State | None = None) -> tuple[Tensor, State]:
        outputs, after = self.network(self.embedding(tokens), lengths, state)
        return self.output(outputs), after


class Judge(nn.Module):
    """A stand-in for a system with one output a sequence: features (B, T, F) to scores (B, C) of the mean output."""

    def __init__(self, network: Recurrent) -> None:
        super().__init__()
        self.network, self.input_size = network, network.input_size

    def forward(self, inputs: Tensor, lengths: Tensor | None = None, state: State | None = None) -> tuple[Tensor, State]:
        outputs, after = self.network(inputs, lengths, state)
        steps = inputs.shape[1] if lengths is None else lengths.clamp(min=1).unsqueeze(1)
        return outputs.sum(1) / steps, after


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_every_network_keeps_the_laws(cell: str, bidirectional: bool) -> None:
    gaps = check_invariance(build_network(cell, F, H, 2, bidirectional=bidirectional, dropout=0.5))
    assert list(gaps) == [name for name in LAWS if not (bidirectional and name == "two goes read as one")]
    assert max(gaps.values()) < 1e-12
    assert gaps["garbage in the padding changes nothing"] == 0


def test_outputs_may_be_one_a_step_or_one_a_sequence() -> None:
    assert len(check_invariance(Speller(), inputs=TOKENS)) == len(LAWS)
    assert len(check_invariance(Judge(build_network("lstm", F, H)))) == len(LAWS)
    assert len(check_invariance(Judge(build_network("lstm", F, H, bidirectional=True)))) == len(LAWS) - 1


@pytest.mark.parametrize("cell", CELLS)
def test_the_systems_of_the_library_keep_the_laws(cell: str) -> None:
    rnn = {"cell": cell, "hidden_size": H, "num_layers": 2, "residual": True}
    assert len(check_invariance(LanguageModel(V, rnn, tied=True), inputs=TOKENS)) == len(LAWS)
    assert len(check_invariance(SequenceClassifier(rnn, F, num_classes=2), inputs=torch.randn(4, 6, F))) == len(LAWS)
    both_ways = SequenceClassifier({**rnn, "bidirectional": True}, F, vocab_size=V)
    assert len(check_invariance(both_ways, inputs=TOKENS)) == len(LAWS) - 1


@pytest.mark.parametrize("lengths", [[6, 6, 6, 6], [0, 6, 0, 1], [1, 1, 1, 1]])
def test_any_lengths_may_be_asked_for(lengths: list[int]) -> None:
    check_invariance(Speller(), inputs=TOKENS, lengths=torch.tensor(lengths, dtype=torch.int32))


def test_the_system_is_left_as_it_was() -> None:
    system = Speller().train()
    before = {name: value.clone() for name, value in system.state_dict().items()}
    random = torch.get_rng_state()
    check_invariance(system, inputs=TOKENS)
    assert system.training and system.output.weight.dtype == torch.float32
    torch.testing.assert_close(dict(system.state_dict()), before, rtol=0, atol=0)
    assert torch.get_rng_state().equal(random)


class Bent(nn.Module):
    """A network with one fault: ``bend`` reads in its stead."""

    def __init__(self, bend: Callable[..., tuple[Tensor, State]]) -> None:
        super().__init__()
        self.network, self.bend, self.input_size = build_network("lstm", F, H), bend, F

    def forward(self, inputs: Tensor, lengths: Tensor | None = None, state: State | None = None) -> tuple[Tensor, State]:
        return self.bend(self.network, inputs, lengths, state)


def no_mask(network: nn.Module, inputs: Tensor, lengths: Any, state: Any) -> Any:
    return network(inputs, None, state)


def mask_by_product(network: nn.Module, inputs: Tensor, lengths: Any, state: Any) -> Any:
    real = 1.0 if lengths is None else length_mask(lengths, inputs.shape[1]).unsqueeze(2)
    return network(inputs * real, None, state)


def state_of_the_last_column(network: nn.Module, inputs: Tensor, lengths: Any, state: Any) -> Any:
    outputs, _ = network(inputs, lengths, state)
    return outputs, network(inputs.nan_to_num(), None, state)[1]


def length_off_by_one(network: nn.Module, inputs: Tensor, lengths: Any, state: Any) -> Any:
    return network(inputs, None if lengths is None else (lengths + 1).clamp(max=inputs.shape[1]), state)


def mean_over_padding(network: nn.Module, inputs: Tensor, lengths: Any, state: Any) -> Any:
    outputs, state = network(inputs, lengths, state)
    return outputs.mean(1), state


def normalise_over_rows(network: nn.Module, inputs: Tensor, lengths: Any, state: Any) -> Any:
    outputs, state = network(inputs, lengths, state)
    return outputs - outputs.mean(0, keepdim=True), state


def know_the_first_row(network: nn.Module, inputs: Tensor, lengths: Any, state: Any) -> Any:
    outputs, state = network(inputs, lengths, state)
    return torch.cat([outputs[:1] * 2, outputs[1:]]), state


def forget_the_state(network: nn.Module, inputs: Tensor, lengths: Any, state: Any) -> Any:
    return network(inputs, lengths, None)


def state_layers_first(network: nn.Module, inputs: Tensor, lengths: Any, state: Any) -> Any:
    outputs, state = network(inputs, lengths, state and map_state(lambda leaf: leaf.transpose(0, 1), state))
    return outputs, map_state(lambda leaf: leaf.transpose(0, 1).contiguous(), state)


PADDING, MORE, ORDER, ALONE, PAUSE = LAWS


@pytest.mark.parametrize(
    ("bend", "laws"),
    [
        (no_mask, {PADDING, MORE}),
        (mask_by_product, {PADDING, MORE}),
        (state_of_the_last_column, {PADDING, MORE}),
        (length_off_by_one, {PADDING}),
        (mean_over_padding, {MORE, ALONE}),
        (normalise_over_rows, {ALONE}),
        (know_the_first_row, {ORDER, ALONE}),
        (forget_the_state, {PAUSE}),
    ],
)
def test_a_broken_law_is_named(bend: Callable[..., tuple[Tensor, State]], laws: set[str]) -> None:
    torch.manual_seed(0)
    with pytest.raises(LawBroken) as raised:
        check_invariance(Bent(bend), tolerance=1e-9)
    message = str(raised.value)
    assert message.startswith("Bent breaks ") and message.endswith("(tolerance 1.0e-09)")
    assert laws <= {law for law in LAWS if repr(law) in message}


def test_a_state_that_is_not_batch_first_is_named() -> None:
    with pytest.raises(LawBroken) as raised:
        check_invariance(Bent(state_layers_first))
    assert str(raised.value) == "every tensor of a state must be batch-first, with 5 rows, not of shape (1, 5, 4)"


@pytest.mark.parametrize(
    ("system", "arguments", "message"),
    [
        (Speller(), {}, "Speller has no vocab_size and no input_size to draw inputs by: pass inputs, tokens or features"),
        (Speller(), {"inputs": TOKENS[:1]}, "inputs need at least two rows and two steps, not shape (1, 6)"),
        (Speller(), {"inputs": TOKENS[:, :1]}, "inputs need at least two rows and two steps, not shape (4, 1)"),
        (Speller(), {"inputs": TOKENS[0]}, "inputs need at least two rows and two steps, not shape (6,)"),
        (
            CTCRecognizer({"cell": "gru", "hidden_size": 4}, 3, ["-", "a"], subsampling={"channels": 4}),
            {"inputs": torch.zeros(4, 12, 3)},
            "CTCRecognizer makes 6 steps of 12; "
            "the laws are those of a step for a step: check its network, or a system without subsampling",
        ),
        (Speller(), {"inputs": TOKENS, "lengths": torch.tensor([1])}, "lengths must have shape (4,), one a row, not (1,)"),
    ],
)
def test_inputs_that_cannot_tell_are_refused(system: nn.Module, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as raised:
        check_invariance(system, **arguments)
    assert str(raised.value) == message
