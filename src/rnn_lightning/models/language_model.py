"""A language model: what comes next, token by token.

Shapes: B rows, T steps, N real targets, E embedding features, H features of the network, V tokens.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..checks import check_choice, check_counts, check_flags, check_number, check_probability, shown
from ..output_layer import AdaptiveSoftmax
from ..products import Linear
from ..recurrent import Recurrent, as_network
from ..regularize import EmbeddingDropout, change_penalty, check_penalties, make_dropout, size_penalty
from ..search.filters import Filter
from ..sequences import State, at_least_single, check_memory, check_tensors, length_mask
from .model import Model

OUTPUTS = ("softmax", "adaptive")
EVALUATION_STATES = ("carry", "reset")
AT_ONCE = 1024
"""Targets whose logits exist at a time where texts are scored."""
UNITS = {"word": "perplexity", "character": "bits_per_char"}


class LanguageModel(Model):
    """A recurrent language model over words or characters (Mikolov et al. 2010; Zaremba et al. 2014, arXiv:1409.2329).

    Args:
        vocab_size: V.
        rnn: keywords of ``build_network`` without ``input_size``, or a network that reads E features.
        embedding_size: E.
        output: ``softmax``, or ``adaptive`` for `AdaptiveSoftmax`, several times as fast where words are many and numbered by
            their frequency, as word vocabularies of preprocessing are.
        cutoffs: the words at which clusters of an adaptive output begin; ``None``: `usual_cutoffs`.
        tied: share the output layer's weight with the embedding (Press and Wolf 2017, arXiv:1608.05859); where H is not E,
            a linear map without bias leads from one to the other.
        dropout: on the network's outputs and, where ``input_dropout`` says nothing else, on the embeddings; ``locked``:
            one mask for all steps of a row.
        embedding_dropout: of whole words, each zero wherever it stands in a batch of the training.
        size_penalty, change_penalty: weights of the mean square of the network's outputs after dropout (AR), and of their
            change from step to step (TAR), in the loss of the training (Merity et al. 2017, arXiv:1708.01009).
        unit: what a token is, ``word`` or ``character``; decides whether perplexity or bits per character are logged.
        evaluation_state: ``carry`` the state where a batch goes on, as in training, or ``reset`` it for every batch.
        embedding_range: draw the embeddings from U(-range, range); ``None``: from N(0, 1 / E).
        optimizer, schedule: a ``name`` of ``OPTIMIZERS`` or ``SCHEDULES`` and keywords.

    Raises:
        ValueError: for a bad size, unit or name.
    """

    vocab_size: int

    def __init__(
        self,
        vocab_size: int,
        rnn: dict[str, Any] | Recurrent,
        embedding_size: int = 128,
        *,
        output: str = "softmax",
        cutoffs: Sequence[int] | None = None,
        tied: bool = False,
        dropout: float = 0.0,
        input_dropout: float | None = None,
        locked: bool = False,
        embedding_dropout: float = 0.0,
        size_penalty: float = 0.0,
        change_penalty: float = 0.0,
        unit: str = "word",
        evaluation_state: str = "carry",
        embedding_range: float | None = None,
        optimizer: dict[str, Any] | None = None,
        schedule: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(optimizer, schedule, rnn=rnn)
        check_counts(vocab_size=vocab_size, embedding_size=embedding_size)
        check_memory(vocab_size=vocab_size, embedding_size=embedding_size)
        check_flags(tied=tied, locked=locked)
        check_choices(unit, evaluation_state, embedding_range, input_dropout)
        self.penalties = check_penalties(size_penalty, change_penalty)
        self.vocab_size, self.unit, self.evaluation_state = vocab_size, unit, evaluation_state
        self.embedding = nn.Embedding(vocab_size, embedding_size)
        self.embedding_dropout = EmbeddingDropout(embedding_dropout, vocab_size)
        self.network = as_network(rnn, embedding_size)
        if not self.network.causal:
            raise ValueError("a language model must not read ahead: rnn.bidirectional must be false")
        self.input_dropout = make_dropout(dropout if input_dropout is None else input_dropout, locked=locked)
        self.output_dropout = make_dropout(dropout, locked=locked)
        width, self.adaptive = self.network.output_size, output == "adaptive"
        self.bridge = Linear(width, embedding_size, bias=False) if tied and width != embedding_size else nn.Identity()
        self.output: Any = make_output(output, embedding_size if tied else width, vocab_size, cutoffs)
        self._initialise(embedding_range, tied)
        self.complete()

    def _initialise(self, embedding_range: float | None, tied: bool) -> None:
        nn.init.zeros_(self.output.bias)
        spread = self.output.in_features**-0.5 if embedding_range is None else embedding_range
        nn.init.uniform_(self.output.weight, -spread, spread)
        if embedding_range is None:
            nn.init.normal_(self.embedding.weight, std=self.embedding.embedding_dim**-0.5)
        else:
            nn.init.uniform_(self.embedding.weight, -embedding_range, embedding_range)
        if tied:
            self.output.weight = self.embedding.weight

    @torch.no_grad()
    def log_probabilities(self, tokens: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The log-probability (B, T - 1) of each of ``tokens`` (B, T) behind the first, 0 behind each row's length.

        No more than `AT_ONCE` rows of logits exist at a time.

        Raises:
            ValueError: as ``forward``.
        """
        hidden, _ = self.read(self.admit(tokens, lengths), lengths, None)
        sizes = torch.full((len(tokens),), tokens.shape[1]) if lengths is None else lengths
        counted = length_mask(sizes.to(tokens.device), tokens.shape[1])[:, 1:]
        parts = zip(hidden[:, :-1][counted].split(AT_ONCE), tokens[:, 1:][counted].split(AT_ONCE), strict=True)
        found = torch.cat([self.of_targets(read, targets) for read, targets in parts])
        return found.new_zeros(counted.shape).masked_scatter(counted, found)

    def of_targets(self, hidden: Tensor, targets: Tensor) -> Tensor:
        """The log-probabilities (N,) of ``targets`` (N,) after ``hidden`` (N, E or H)."""
        if self.adaptive:
            return self.output.of_targets(hidden, targets)
        return -F.cross_entropy(at_least_single(self.output(hidden)), targets, reduction="none")

    def run(
        self, inputs: Tensor, lengths: Tensor | None, state: State | None, fresh: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Logits (B, T, V) of what follows each of the tokens (B, T), and the state after the last real one.

        The text begins anew before the steps where ``fresh`` (B, T) is true.
        An adaptive output gives log-probabilities, which are logits too.
        """
        hidden, after = self.read(inputs, lengths, state, fresh)
        return self.output(hidden), after

    def read(
        self, tokens: Tensor, lengths: Tensor | None, state: State | None, fresh: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """What ``run`` does, short of the output layer: hidden (B, T, E or H)."""
        hidden, after = self.network(self.embed(tokens), lengths, state, fresh)
        return self.bridge(self.output_dropout(hidden)), after

    def penalty(self, hidden: Tensor, dropped: Tensor, lengths: Tensor | None, fresh: Tensor | None = None) -> Tensor:
        """What the ``penalties`` add to the loss, of the network's outputs (B, T, H), before dropout and after it."""
        size, change = self.penalties
        return size * size_penalty(dropped, lengths) + change * change_penalty(hidden, lengths, fresh)

    def embed(self, tokens: Tensor) -> Tensor:
        """What the network reads of ``tokens`` (B, T): (B, T, E)."""
        return self.input_dropout(self.embedding_dropout(self.embedding(tokens), tokens))

    def step(self, tokens: Tensor, state: State | None) -> tuple[Tensor, State]:
        """One step: ``tokens`` (N,) to log-probabilities (N, V) of the next token, and the state after it.

        A search makes many small steps, so tokens are looked at only where the embedding refuses them.

        Raises:
            ValueError: for tokens or a state that the model cannot read.
        """
        try:
            logits, after = self.run(tokens.unsqueeze(1), None, state)
        except (ValueError, IndexError, RuntimeError, AttributeError):
            check_tensors(tokens=tokens)
            self.admit(tokens.unsqueeze(-1), None)
            raise
        return at_least_single(logits).squeeze(1).log_softmax(-1), after

    @torch.no_grad()
    def generate(
        self,
        prompt: Tensor,
        length: int,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        min_p: float | None = None,
        seed: int | None = None,
    ) -> Tensor:
        """Continue ``prompt`` (B, T), T at least 1, by ``length`` sampled tokens: (B, ``length``).

        Each token is drawn from softmax(logits / ``temperature``), of the tokens that ``top_k``, ``top_p`` and ``min_p`` leave,
        see `search.sample`; temperature 0 takes the likeliest.

        Raises:
            ValueError: for an empty prompt, a negative length or temperature, or a filter outside its range.
        """
        check_tensors(prompt=prompt)
        check_counts(least=0, length=length)
        keep = Filter(temperature, top_k, top_p, min_p)
        if seed is not None:
            check_counts(least=0, most=2**63 - 1, seed=seed)
        if prompt.dim() != 2 or prompt.shape[1] < 1:
            raise ValueError(f"prompt must have shape (B, T) with T at least 1, not {tuple(prompt.shape)}")
        generator = None if seed is None else torch.Generator(prompt.device).manual_seed(seed)
        logits, state = self(prompt)
        scores, tokens = at_least_single(logits[:, -1]), []
        for _ in range(length):
            if temperature == 0:
                token = scores.argmax(-1)
            else:
                token = torch.multinomial(keep(scores).softmax(-1), 1, generator=generator).squeeze(1)
            tokens.append(token)
            scores, state = self.step(token, state)
        return torch.stack(tokens, 1) if tokens else prompt.new_zeros(len(prompt), 0)


def make_output(name: str, width: int, vocab_size: int, cutoffs: Sequence[int] | None) -> nn.Linear | AdaptiveSoftmax:
    """The output layer ``name`` from ``width`` features to the words.

    Raises:
        ValueError: for an unknown name, cutoffs that do not rise between 1 and ``vocab_size`` - 1, or cutoffs of a softmax.
    """
    check_choice("output", name, OUTPUTS)
    if name == "softmax":
        if cutoffs is not None:
            raise ValueError(f"cutoffs are for output adaptive, and output is softmax: leave out {shown(cutoffs)}")
        return Linear(width, vocab_size)
    chosen = usual_cutoffs(vocab_size) if cutoffs is None else list(cutoffs)
    for cutoff in chosen:
        check_counts(most=vocab_size - 1, cutoffs=cutoff)
    if not chosen or chosen != sorted(set(chosen)):
        raise ValueError(f"cutoffs must be words in rising order between 1 and {vocab_size - 1}, not {shown(chosen)}")
    return AdaptiveSoftmax(width, vocab_size, chosen)


def usual_cutoffs(vocab_size: int) -> list[int]:
    """Cutoffs that make a step cheap where the frequency of words falls as their number rises (Zipf's law)."""
    return sorted({int(vocab_size * part) for part in (1 / 32, 1 / 10, 1 / 4, 1 / 2, 3 / 4)} - {0})


def check_choices(unit: str, evaluation_state: str, embedding_range: float | None, input_dropout: float | None) -> None:
    """Refuse names that are none, and numbers outside their range.

    Raises:
        ValueError: naming the first.
    """
    check_choice("unit", unit, sorted(UNITS))
    check_choice("evaluation_state", evaluation_state, EVALUATION_STATES)
    if embedding_range is not None:
        check_number("embedding_range", embedding_range, above=0)
    if input_dropout is not None:
        check_probability("input_dropout", input_dropout)
