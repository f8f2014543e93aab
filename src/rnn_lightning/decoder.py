"""The decoder of a translation model: a recurrent network over target tokens that looks at a source.

Shapes: B sources, S source steps, E features of a source step; N rows, U steps of the target, V tokens, H features of the
network, A features that the output layer reads. Rows come source by source, K = N / B of them for each.
"""

from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from .attention import Attention, Memory, make_attention
from .recurrent import Recurrent, as_network, output_size_of
from .regularize import dropout as make_dropout
from .sequences import State


class Decoded(NamedTuple):
    """``features`` (N, U, A) for the output layer, the attention's ``weights`` (N, U, S) if there is one, and the state."""

    features: Tensor
    weights: Tensor | None
    state: State


class AttentionDecoder(nn.Module):
    """A decoder after Luong et al. (2015, arXiv:1508.04025): attention is asked by the network's output of the same step.

    The network reads a summary of the source before its first token (Sutskever et al. 2014, arXiv:1409.3215), so that any
    encoder fits any cell. With attention the output layer reads tanh(W [h; context]) (equation 5), without it h alone. With
    input feeding (section 3.3) the network reads that vector of the step before beside its token. With ``context`` the
    network reads the summary beside every token, and without attention the output layer reads it beside h (Cho et al. 2014,
    arXiv:1406.1078).

    A state is (the network's state, what is fed back (N, A), the source of each row (N,)).
    """

    def __init__(
        self,
        vocab_size: int,
        embedding_size: int,
        memory_size: int,
        rnn: dict[str, Any] | Recurrent,
        *,
        attention: str | None = "general",
        input_feeding: bool = False,
        context: bool = False,
        tied: bool = False,
        dropout: float = 0.0,
    ) -> None:
        """Build the decoder.

        Args:
            vocab_size, embedding_size: of the target's tokens.
            memory_size: E.
            rnn: keywords of ``recurrent`` without ``input_size``, or a network.
            attention: a kind of ``ATTENTIONS``; ``None``: the summary is all that the decoder knows of the source.
            input_feeding: see above; needs attention. The decoder then trains step by step.
            context: see above: the summary is told at every step, not only before the first.
            tied: share the output layer's weight with the embedding.
            dropout: on the embeddings and on what the output layer reads.

        Raises:
            ValueError: for a network that reads ahead, an unknown attention, or feeding without it.
        """
        super().__init__()
        if input_feeding and attention is None:
            raise ValueError("input_feeding feeds back what attention found: it needs an attention, not None")
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
        self.enter = nn.Linear(memory_size, self.network.input_size)
        self.combine = self._combination(hidden, memory_size, width)
        self.output = nn.Linear(width, vocab_size)
        nn.init.zeros_(self.output.bias)
        if tied:
            self.output.weight = self.embedding.weight
        self.dropout = make_dropout(dropout, locked=False)

    def _combination(self, hidden: int, memory_size: int, width: int) -> nn.Module:
        if self.attention is not None or self.context:
            return nn.Sequential(nn.Linear(hidden + memory_size, width, bias=False), nn.Tanh())
        return nn.Identity() if hidden == width else nn.Linear(hidden, width, bias=False)

    def start(self, memory: Memory) -> State:
        """The state of one row a source, after the summary is read."""
        first = self.enter(memory.summary).tanh().unsqueeze(1)  # (B, 1, input)
        _, state = self.network(first)
        rows = len(memory.summary)
        sources = torch.arange(rows, device=first.device)
        return state, first.new_zeros(rows, self.fed_size), sources

    def forward(self, memory: Memory, tokens: Tensor, state: State) -> Decoded:
        """Read ``tokens`` (N, U) on from ``state``: without feeding all steps at once, with it one after the other.

        Raises:
            ValueError: where the rows do not divide among the sources.
        """
        if len(tokens) % max(len(memory.summary), 1):
            raise ValueError(f"{len(tokens)} rows do not divide among {len(memory.summary)} sources")
        inputs = self.dropout(self.embedding(tokens))  # (N, U, input)
        if self.context:
            inputs = torch.cat([inputs, told(memory, inputs)], 2)
        if not self.input_feeding:
            return self._read(memory, inputs, state)
        features, weights = [], []
        for step in inputs.split(1, 1):
            _, fed, _ = state
            decoded = self._read(memory, torch.cat([step, fed.unsqueeze(1)], 2), state)
            state = decoded.state
            features.append(decoded.features)
            weights.append(decoded.weights)
        return Decoded(torch.cat(features, 1), torch.cat(weights, 1), state)

    def _read(self, memory: Memory, inputs: Tensor, state: State) -> Decoded:
        network_state, fed, sources = state
        hidden, network_state = self.network(inputs, state=network_state)
        if self.attention is None:
            features = torch.cat([hidden, told(memory, hidden)], 2) if self.context else hidden
            return Decoded(self.dropout(self.combine(features)), None, (network_state, fed, sources))
        queries = hidden.reshape(len(memory.values), -1, hidden.shape[2])  # (B, K * U, H)
        contexts, weights = self.attention(queries, memory)
        contexts, weights = (part.reshape(*hidden.shape[:2], -1) for part in (contexts, weights))
        features = self.dropout(self.combine(torch.cat([hidden, contexts], 2)))
        return Decoded(features, weights, (network_state, features[:, -1] if self.input_feeding else fed, sources))

    def step(self, memory: Memory, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """One step of a search: ``tokens`` (N,) to log-probabilities (N, V), and the state after it.

        ``memory`` holds all sources of the batch; those of which no row is left are passed over.
        """
        decoded = self(memory.of(state[2]), tokens.unsqueeze(1), state)
        return self.output(decoded.features[:, -1]).log_softmax(-1), decoded.state

    def covering_step(self, memory: Memory, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """As ``step``, of a state (the decoder's, how much each source step has been looked at so far (N, S))."""
        before, covered = state
        decoded = self(memory.of(before[2]), tokens.unsqueeze(1), before)
        weights = cast(Tensor, decoded.weights)
        return self.output(decoded.features[:, -1]).log_softmax(-1), (decoded.state, covered + weights[:, -1])


def told(memory: Memory, steps: Tensor) -> Tensor:
    """The summary of each row's source, at every one of its ``steps`` (N, U, ...): (N, U, E)."""
    rows = len(steps) // max(len(memory.summary), 1)
    return memory.summary.repeat_interleave(rows, 0).unsqueeze(1).expand(-1, steps.shape[1], -1)


def coverage_penalty(memory: Memory, strength: float, state: State) -> Tensor:
    """What source steps that were looked at less than once cost each row (N,) of a ``covering_step``'s state; 0 at most.

    ``strength`` times the sum over source steps of log min(1, looked at), after Wu et al. 2016 (arXiv:1609.08144, equation 14).
    """
    (_, _, sources), covered = state
    costs = covered.clamp(torch.finfo(covered.dtype).tiny, 1).log()  # attention may be too small for a number, and is no zero
    if memory.real is not None:
        costs = costs.masked_fill(~memory.real[sources], 0)
    return strength * costs.sum(1)
