"""Trained models as functions of tensors alone, in which a state is a row of tensors: what is exported.

Shapes: B rows, T steps, S steps that an encoder makes, N hypotheses, V tokens, E features that attention averages.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..attention import Memory
from ..decoder import AttentionDecoder
from ..models import Model, Seq2Seq
from ..recurrent.contract import nesting
from ..sequences import State, leaves
from .draws import draw

BATCHES = ((1, 1), (1, 6), (2, 3), (5, 17), (3, 40))
"""Rows, and how many times the fewest steps they have at most."""


class Exportable(nn.Module, ABC):
    """A module of tensors, with an example of them, and their names and axes of any size."""

    state_sizes: list[list[int]]
    """The sizes behind the rows of the tensors of the state that goes in."""
    first_state: Sequence[Tensor] = ()
    """These tensors for a row that begins; none where they are zeros, or another graph makes them."""

    @abstractmethod
    def example(self) -> tuple[Tensor, ...]:
        """Tensors that ``forward`` takes."""

    @abstractmethod
    def names(self) -> tuple[list[str], list[str]]:
        """The names of what ``forward`` takes, and of what it returns."""

    @abstractmethod
    def axes(self) -> list[dict[int, str]]:
        """The axes of any size of each tensor that ``forward`` takes, by name."""

    @abstractmethod
    def cases(self) -> Iterator[tuple[Tensor, ...]]:
        """Tensors of several sizes for ``forward``, on which a graph is compared with it."""


class Kept(NamedTuple):
    """The form of a state, and the sizes behind the rows of those of its tensors that hold any number."""

    form: Any
    sizes: list[list[int]]

    @classmethod
    def of(cls, state: State) -> "Kept":
        return cls(nesting(state), [list(leaf.shape[1:]) for leaf in leaves(state) if leaf[:1].numel()])

    def parts(self, state: State) -> list[Tensor]:
        """The tensors of ``state`` that hold numbers; none of them is another one or a part of it."""
        return [leaf.clone() for leaf in leaves(state) if 0 not in leaf.shape[1:]]

    def state(self, parts: Sequence[Tensor], rows: Tensor) -> State:
        """The state of these ``parts``, for the ``rows`` (B, ...) of a batch."""
        return self._nested(self.form, iter(parts), rows)

    def _nested(self, form: Any, parts: Iterator[Tensor], rows: Tensor) -> State:
        if not isinstance(form, torch.Size):
            return tuple(self._nested(inner, parts, rows) for inner in form)
        return torch.zeros(rows.shape[0], *form, device=rows.device) if 0 in form else next(parts)


class Whole(Exportable):
    """``model`` from inputs, lengths and, where it ``streams``, the parts of a state to what ``answer`` makes of its outputs,
    and the parts of the state after them. The same graph reads whole rows, and goes on with them."""

    def __init__(self, model: Model, answer: Callable[[Tensor], Tensor], *, streams: bool) -> None:
        super().__init__()
        self.model, self.answer = model, answer
        with torch.no_grad():
            inputs, lengths = draw(model, 2, 2)
            _, state = model(inputs, lengths)
        self.kept = Kept.of(state) if streams and all(getattr(part, "causal", True) for part in model.modules()) else None
        self.state_sizes = [] if self.kept is None else self.kept.sizes
        if self.kept is not None:
            with torch.no_grad():  # the state of rows without a step is that before the first
                first = self.kept.parts(model(inputs, torch.zeros_like(lengths))[1])
            self.first_state = [part[0] for part in first] if any(part.any() for part in first) else ()

    def start(self, rows: int) -> list[Tensor]:
        """The state of so many ``rows`` that begin."""
        if self.first_state:
            return [part.expand(rows, *part.shape).clone() for part in self.first_state]
        return [torch.zeros(rows, *size) for size in self.state_sizes]

    def forward(self, inputs: Tensor, lengths: Tensor, *parts: Tensor) -> tuple[Tensor, ...]:
        if self.kept is None:
            return (self.answer(self.model(inputs, lengths)[0]),)
        outputs, after = self.model(inputs, lengths, self.kept.state(parts, inputs))
        return self.answer(outputs), *self.kept.parts(after)

    def example(self) -> tuple[Tensor, ...]:
        inputs, lengths = draw(self.model, 5, 7)
        return inputs, lengths, *self.start(len(inputs))

    def names(self) -> tuple[list[str], list[str]]:
        numbers = range(len(self.state_sizes))
        return ["inputs", "lengths", *(f"state_{n}" for n in numbers)], ["outputs", *(f"next_state_{n}" for n in numbers)]

    def axes(self) -> list[dict[int, str]]:
        inputs, *_ = self.example()
        several = {0: "rows", 1: "steps"} | ({} if inputs.is_floating_point() or inputs.dim() < 3 else {2: "characters"})
        return [several, {0: "rows"}, *({0: "rows"} for _ in self.state_sizes)]

    def cases(self) -> Iterator[tuple[Tensor, ...]]:
        for inputs, lengths in batches(self.model):
            given = inputs, lengths, *self.start(len(inputs))
            yield given
            if self.state_sizes:  # the same rows once more, some of which are over
                yield inputs, (lengths - 1).clamp(min=0), *self(*given)[1:]


class Encoder(Exportable):
    """The encoder of ``model``: sources and their lengths to what its decoder looks at, and the decoder's first state."""

    def __init__(self, model: Seq2Seq) -> None:
        super().__init__()
        self.model = model
        with torch.no_grad():
            memory = model.encode(*draw(model, 2, 2))
            state, fed, _ = model.decoder.start(memory)
        self.kept = Kept.of((state, fed))
        self.state_sizes = self.kept.sizes
        self.looks = names_of_memory(model.decoder)

    def forward(self, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        memory = self.model.encode(inputs, lengths)
        state, fed, _ = self.model.decoder.start(memory)
        return *(getattr(memory, name).clone() for name in self.looks), *self.kept.parts((state, fed))

    def example(self) -> tuple[Tensor, ...]:
        return draw(self.model, 5, 7)

    def names(self) -> tuple[list[str], list[str]]:
        return ["inputs", "lengths"], [*self.looks, *(f"state_{number}" for number in range(len(self.state_sizes)))]

    def axes(self) -> list[dict[int, str]]:
        return [{0: "rows", 1: "steps"}, {0: "rows"}]

    def cases(self) -> Iterator[tuple[Tensor, ...]]:
        yield from batches(self.model)


class DecoderStep(Exportable):
    """A step of the decoder of ``model``: the last token (N,), what the decoder looks at for each hypothesis and its state to
    the log-probabilities (N, V) of the next token, with attention the weights (N, S) of the source's steps, and the state."""

    def __init__(self, model: Seq2Seq) -> None:
        super().__init__()
        self.encoder, self.decoder, self.end = Encoder(model), model.decoder, model.end
        self.state_sizes = self.encoder.state_sizes

    def forward(self, tokens: Tensor, *parts: Tensor) -> tuple[Tensor, ...]:
        looks = len(self.encoder.looks)
        seen = dict(zip(self.encoder.looks, parts[:looks], strict=True))
        nothing = torch.zeros(tokens.shape[0], 0)
        memory = Memory(seen.get("values", nothing), seen.get("keys", nothing), seen.get("real"), seen.get("summary", nothing))
        state, fed = self.encoder.kept.state(parts[looks:], tokens)  # type: ignore[misc]
        decoded = self.decoder(memory, tokens.unsqueeze(1), (state, fed, torch.arange(tokens.shape[0])))
        log_probs = self.decoder.output(decoded.features[:, -1]).log_softmax(-1)
        weights = [] if decoded.weights is None else [decoded.weights[:, -1]]
        return log_probs, *weights, *self.encoder.kept.parts(decoded.state[:2])

    def example(self) -> tuple[Tensor, ...]:
        with torch.no_grad():
            parts = self.encoder(*self.encoder.example())
        return torch.full(parts[0].shape[:1], self.end), *parts

    def names(self) -> tuple[list[str], list[str]]:
        states = [f"state_{number}" for number in range(len(self.state_sizes))]
        weights = ["weights"] if self.decoder.attention is not None else []
        return ["tokens", *self.encoder.looks, *states], ["log_probs", *weights, *(f"next_{name}" for name in states)]

    def axes(self) -> list[dict[int, str]]:
        steps = {"values", "keys", "real"}
        looks = [{0: "rows", 1: "source_steps"} if name in steps else {0: "rows"} for name in self.encoder.looks]
        return [{0: "rows"}, *looks, *({0: "rows"} for _ in self.state_sizes)]

    def cases(self) -> Iterator[tuple[Tensor, ...]]:
        for number, batch in enumerate(batches(self.encoder.model)):
            parts, looks = self.encoder(*batch), len(self.encoder.looks)
            for _ in range(2):
                tokens = torch.full((len(batch[0]),), number % self.decoder.output.out_features)
                yield tokens, *parts
                found = self(tokens, *parts)
                parts = *parts[:looks], *found[len(found) - len(self.state_sizes) :]


def batches(model: Model) -> Iterator[tuple[Tensor, Tensor]]:
    """Inputs and lengths of several sizes, with garbage in the padding."""
    for number, (rows, several) in enumerate(BATCHES):
        yield draw(model, rows, several, number, garbage=True)


def names_of_memory(decoder: AttentionDecoder) -> list[str]:
    """The parts of a `Memory` that the ``decoder`` looks at."""
    return [*(["values", "keys", "real"] if decoder.attention is not None else []), *(["summary"] if decoder.context else [])]
