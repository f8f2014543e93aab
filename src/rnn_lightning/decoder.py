"""The decoder of an encoder-decoder model: a recurrent network over target tokens with attention to a source.

Shapes: B sources, S source steps, E features of a source step; N rows, U steps of the target, V tokens, H features of the
network, A features that the output layer reads. Rows come source by source, K = N / B of them for each.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from .attention import Attention, Memory, make_attention
from .checks import check_counts, check_flags
from .copying import Pointer, check_copying
from .loop_products import loop_products
from .products import Linear
from .recurrent import Recurrent, as_network, output_size_of
from .regularize import make_dropout
from .sequences import State, at_least_single, check_memory


class Decoded(NamedTuple):
    """The decoded steps: ``features`` (N, U, A) for the output layer, the attention's ``weights`` (N, U, S) if there is one,
    the state, and the ``gate`` (N, U) of a `Pointer`, before its sigmoid."""

    features: Tensor
    weights: Tensor | None
    state: State
    gate: Tensor | None = None


class AttentionDecoder(nn.Module):
    """A decoder after Luong et al. (2015, arXiv:1508.04025): the query of attention is the network's output of the same step.

    The network reads a summary of the source before its first token (Sutskever et al. 2014, arXiv:1409.3215), so that any
    encoder fits any cell. With attention the output layer reads tanh(W [h; context]) (equation 5), without it h alone. With
    input feeding (section 3.3) the network reads that vector of the step before beside its token. With ``context`` the
    network reads the summary beside every token, and without attention the output layer reads it beside h (Cho et al. 2014,
    arXiv:1406.1078).

    A state is (the network's state, what is fed back (N, A), the source of each row (N,)); in the place of what is fed back,
    of an attention with a `Past`, (that, what is kept (N, S)).

    Args:
        vocab_size, embedding_size: of the target's tokens.
        memory_size: E.
        rnn: keywords of ``build_network`` without ``input_size``, or a network.
        attention: a kind of ``ATTENTIONS``, perhaps with settings, see `make_attention`; ``None``: the decoder only reads the
            summary. With ``location`` and ``coverage`` it trains step by step.
        input_feeding: see above; needs attention. The decoder then trains step by step.
        copying: ``{"unknown": TOKEN}``: it may copy tokens of its source, see `Pointer`; needs attention. The log-probabilities
            are then those of V' tokens.
        context: see above: the summary is an input of every step, not only before the first.
        tied: share the output layer's weight with the embedding.
        dropout: on the embeddings and on what the output layer reads.

    Raises:
        ValueError: for a network that reads ahead, an unknown attention, or feeding without it.
    """

    def __init__(
        self,
        vocab_size: int,
        embedding_size: int,
        memory_size: int,
        rnn: dict[str, Any] | Recurrent,
        *,
        attention: str | Mapping[str, Any] | None = "general",
        input_feeding: bool = False,
        context: bool = False,
        copying: Mapping[str, Any] | None = None,
        tied: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_counts(vocab_size=vocab_size, embedding_size=embedding_size, memory_size=memory_size)
        check_flags(input_feeding=input_feeding, context=context, tied=tied)
        check_memory(vocab_size=vocab_size, embedding_size=embedding_size)
        if input_feeding and attention is None:
            raise ValueError("input_feeding feeds the attentional vector back: it needs an attention, not None")
        self.embedding = nn.Embedding(vocab_size, embedding_size)
        nn.init.normal_(self.embedding.weight, std=embedding_size**-0.5)
        width = embedding_size if tied else output_size_of(rnn)
        self.input_feeding, self.fed_size = input_feeding, width if input_feeding else 0
        self.context = context
        self.network = as_network(rnn, embedding_size + self.fed_size + (memory_size if context else 0), "decoder")
        if not self.network.causal:
            raise ValueError("a decoder must not read ahead: its bidirectional must be false")
        hidden = self.network.output_size
        self.attention: Attention | None = None if attention is None else make_attention(attention, memory_size, hidden)
        unknown, size = check_copying(copying, vocab_size, attention=attention), memory_size + hidden + self.network.input_size
        self.pointer = None if unknown is None else Pointer(size, vocab_size, unknown)
        self.enter = Linear(memory_size, self.network.input_size)
        self.combine = self._combination(hidden, memory_size, width)
        self.output = Linear(width, vocab_size)
        nn.init.zeros_(self.output.bias)
        if tied:
            self.output.weight = self.embedding.weight
        self.dropout = make_dropout(dropout, locked=False)

    def _combination(self, hidden: int, memory_size: int, width: int) -> nn.Module:
        if self.attention is not None or self.context:
            return nn.Sequential(Linear(hidden + memory_size, width, bias=False), nn.Tanh())
        return nn.Identity() if hidden == width else Linear(hidden, width, bias=False)

    def start(self, memory: Memory) -> State:
        """The initial state of one row a source, after the summary is read."""
        first = self.enter(memory.summary).tanh().unsqueeze(1)  # (B, 1, input)
        _, state = self.network(first)
        rows = memory.summary.shape[0]
        sources, fed = torch.arange(rows, device=first.device), first.new_zeros(rows, self.fed_size)
        return state, (fed, memory.values.new_zeros(memory.values.shape[:2])) if self.looks_back else fed, sources

    @property
    def looks_back(self) -> bool:
        """Whether the attention has a `Past`."""
        return self.attention is not None and self.attention.past is not None

    def forward(self, memory: Memory, tokens: Tensor, state: State) -> Decoded:
        """Decode ``tokens`` (N, U) from ``state`` on (teacher forcing): all steps at once, or one by one with input feeding and
        with an attention that looks back.

        Raises:
            ValueError: where the rows do not divide among the sources.
        """
        if not torch.compiler.is_exporting() and len(tokens) % max(len(memory.summary), 1):
            raise ValueError(f"{len(tokens)} rows do not divide among {len(memory.summary)} sources")
        inputs = self.dropout(self.embedding(tokens if self.pointer is None else self.pointer.read(tokens)))  # (N, U, input)
        if self.context:
            inputs = torch.cat([inputs, summary_at_each_step(memory, inputs)], 2)
        if not (self.input_feeding or self.looks_back):
            return self._read(memory, inputs, state)
        steps: list[Decoded] = []
        with loop_products(inputs, self.network, self.combine):
            for step in inputs.split(1, 1):
                steps.append(self._read(memory, step, state))
                state = steps[-1].state
        return joined(steps)

    def _read(self, memory: Memory, inputs: Tensor, state: State) -> Decoded:
        network_state, carried, sources = state
        fed, before = carried if self.looks_back else (carried, None)
        if self.input_feeding:
            inputs = torch.cat([inputs, fed.unsqueeze(1)], 2)
        hidden, network_state = self.network(inputs, state=network_state)
        if self.attention is None:
            features = torch.cat([hidden, summary_at_each_step(memory, hidden)], 2) if self.context else hidden
            return Decoded(self.dropout(self.combine(features)), None, (network_state, fed, sources))
        queries = hidden  # (B, K * U, H); what is exported has a source for each row
        if not torch.compiler.is_exporting():
            rows, steps, width = hidden.shape
            count = memory.values.shape[0]
            queries = hidden.reshape(count, rows * steps // max(count, 1), width)
            before = None if before is None else before.reshape(*queries.shape[:2], before.shape[-1])
        contexts, weights = self.attention(queries, memory, before)
        if self.attention.past is not None and before is not None:
            after = self.attention.past.after(before, weights)
            before = after.reshape(len(hidden), after.shape[-1])
        contexts, weights = (part.reshape(*hidden.shape[:2], part.shape[2]) for part in (contexts, weights))
        features = self.dropout(self.combine(torch.cat([hidden, contexts], 2)))
        gate = None if self.pointer is None else self.pointer.generate(torch.cat([contexts, hidden, inputs], 2)).squeeze(2)
        fed = features[:, -1] if self.input_feeding else fed
        return Decoded(features, weights, (network_state, fed if before is None else (fed, before), sources), gate)

    def log_probs(self, memory: Memory, decoded: Decoded) -> Tensor:
        """The log-probabilities (N, U, V), or (N, U, V') where the decoder copies, of the token at each ``decoded`` step."""
        log_probs = at_least_single(self.output(decoded.features)).log_softmax(-1)
        if self.pointer is None:
            return log_probs
        return self.pointer(log_probs, cast(Tensor, decoded.weights), cast(Tensor, decoded.gate), memory)

    def step(self, memory: Memory, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """A `Step` of a search: ``tokens`` (N,) to log-probabilities (N, V), and the state after it.

        ``memory`` holds all sources of the batch; those of which no row is left are ignored.
        """
        left = memory.of(state[2])
        decoded = self(left, tokens.unsqueeze(1), state)
        return self.log_probs(left, decoded)[:, -1], decoded.state

    def covering_step(self, memory: Memory, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """A `Step` that also sums the attention weights; its state is (the decoder's, their sums so far (N, S): the
        coverage)."""
        before, coverage = state
        left = memory.of(before[2])
        decoded = self(left, tokens.unsqueeze(1), before)
        weights = cast(Tensor, decoded.weights)
        return self.log_probs(left, decoded)[:, -1], (decoded.state, coverage + weights[:, -1])


def joined(steps: Sequence[Decoded]) -> Decoded:
    """Decoded ``steps`` (N, 1, ...) one after the other, with the state after the last."""
    features, *others = ([getattr(step, name) for step in steps] for name in ("features", "weights", "gate"))
    weights, gate = (None if parts[0] is None else torch.cat(parts, 1) for parts in others)
    return Decoded(torch.cat(features, 1), weights, steps[-1].state, gate)


def summary_at_each_step(memory: Memory, steps: Tensor) -> Tensor:
    """The summary (N, U, E) of each row's source, repeated for its ``steps`` (N, U, ...)."""
    rows = 1 if torch.compiler.is_exporting() else len(steps) // max(len(memory.summary), 1)
    return memory.summary.repeat_interleave(rows, 0).unsqueeze(1).expand(-1, steps.shape[1], -1)


def coverage_penalty(memory: Memory, strength: float, state: State) -> Tensor:
    """The coverage penalty (N,), 0 at most, of source steps whose attention weights sum to less than 1; a `Bonus` of a search.

    ``state`` is that of ``covering_step``. ``strength`` times the sum over source steps of log min(1, coverage), after Wu et
    al. 2016 (arXiv:1609.08144, equation 14).
    """
    (_, _, sources), coverage = state
    costs = coverage.clamp(torch.finfo(coverage.dtype).tiny, 1).log()  # a weight may underflow, but is never zero
    if memory.real is not None:
        costs = costs.masked_fill(~memory.real[sources], 0)
    return strength * costs.sum(1)
