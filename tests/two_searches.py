"""The search of the library and that of the runtime by one small network, on the same sources."""

from collections.abc import Callable, Mapping
from typing import Any

import torch

from rnn_lightning.export.kinds import KINDS
from rnn_lightning.items.searches import Constraints, Spelled, UnsatisfiedError, read_options
from rnn_lightning.models import Seq2Seq
from rnn_lightning.predictors.searching import Found as Hypothesis
from rnn_lightning.predictors.searching import Searcher
from rnn_lightning.runtime.rules import Rules
from rnn_lightning.runtime.search import Decoder

SOURCES, LENGTHS = torch.randint(7, (4, 8), generator=torch.Generator().manual_seed(1)), torch.tensor([8, 3, 5, 1])
Found = list[list[tuple[list[int], float]]]


def model(seed: int, tokens: int) -> Seq2Seq:
    """A network whose answers depend on all that it reads; its last token ends a text."""
    torch.manual_seed(seed)
    made = Seq2Seq(7, tokens, {"cell": "gru", "hidden_size": 5}, end=tokens - 1, embedding_size=4).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(1.2 * torch.randn(parameter.shape))
    return made


def encode(text: str) -> list[int]:
    return ["abcdefgh".index(letter) for letter in text]


def decoder_of(system: Seq2Seq) -> tuple[Callable[..., Any], Decoder]:
    """The modules that are exported, in the place of graphs."""
    encoder, step = (KINDS["translation"].graphs(system)[name] for name in ("encoder", "step"))
    return encoder, Decoder(lambda *arrays: [part.numpy() for part in step(*map(torch.from_numpy, arrays))], 3, True)


@torch.no_grad()
def in_numpy(system: Seq2Seq, options: Mapping[str, Any], rows: int = len(SOURCES)) -> Found:
    """What the runtime finds for the first ``rows`` of the sources."""
    read, end = read_options(options), system.end
    read["constraints"] = Spelled.of(read.get("constraints", Constraints()), encode, end)
    encoder, decoder = decoder_of(system)
    parts = [part.numpy() for part in encoder(SOURCES[:rows], LENGTHS[:rows])]
    longest = [read.get("max_length", 2 * length + 10) for length in LENGTHS[:rows].tolist()]
    found = decoder.search(Rules(end, **read), longest, parts)
    return [[(tokens, score) for score, tokens in row] for row in found]


def in_torch(system: Seq2Seq, options: Mapping[str, Any], rows: int = len(SOURCES)) -> Found:
    """What the library finds for them."""
    found = Searcher([system], options, encode)(SOURCES[:rows], LENGTHS[:rows])
    return [[(one.tokens, one.score) for one in row] for row in found]


def outcome(search: Callable[..., Found], system: Seq2Seq, options: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    """The tokens and the scores that are found, and what is refused."""
    try:
        found, said = search(system, options), {}
    except UnsatisfiedError as error:
        rows = [[(one.tokens, one.score) if isinstance(one, Hypothesis) else one[::-1] for one in row] for row in error.found]
        found, said = rows, error.reasons
    except ValueError as error:
        return None, None, str(error)
    return [[tokens for tokens, _ in row] for row in found], [score for row in found for _, score in row], said
