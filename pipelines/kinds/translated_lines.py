"""Lines translated by a stored run: a line gives a line, an empty one an empty one."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, PositiveInt
from tokenizers import Tokenizer

from pipelines.kinds.lines import SEARCH, LineReader
from pipelines.kinds.translation import SOURCE_TOKENIZER, TARGET_TOKENIZER, search_keywords, text_of
from rnn_lightning.compress import compressed
from rnn_lightning.files import read_json
from rnn_lightning.systems.seq2seq import Seq2Seq


class TranslationRequest(BaseModel):
    """``run`` is a run's folder; ``n_best`` and ``scores`` ask for ``LINE<tab>SCORE<tab>TEXT``; ``weights`` of "float16" or
    "int8" make it faster, see ``compressed``; all else is for the search."""

    model_config = ConfigDict(extra="allow", frozen=True)

    run: Path
    n_best: PositiveInt = 1
    scores: bool = False
    batch_size: PositiveInt = 32
    weights: str = "float32"

    @property
    def search(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class LineTranslator(LineReader):
    """A stored model of translations, from text to text."""

    def __init__(self, request: TranslationRequest) -> None:
        """Load the run."""
        super().__init__(request.batch_size)
        run = request.run
        self.request = request
        told = {**read_json(run / SEARCH)["search"], **request.search}
        beam_size = max(told.get("beam_size", 5), request.n_best)
        self.search = search_keywords({**told, "beam_size": beam_size, "n_best": request.n_best})
        stored = Seq2Seq.load_from_checkpoint(run / "model.ckpt", map_location="cpu", weights_only=True).eval()
        self.system = stored if request.weights == "float32" else compressed(stored, request.weights)
        self.source, self.target = (Tokenizer.from_file(str(run / name)) for name in (SOURCE_TOKENIZER, TARGET_TOKENIZER))

    def respond(self, lines: Sequence[tuple[int, str]]) -> Iterator[str]:
        for (number, _), answers in zip(lines, self.translate([text for _, text in lines]), strict=True):
            yield from self.shown(number, answers)

    def translate(self, lines: Sequence[str]) -> list[list[tuple[float, str]]]:
        """For each line its translations with their scores, the best first; none for a line without text."""
        encoded = [self.source.encode(line).ids if line.strip() else [] for line in lines]
        filled = [place for place, tokens in enumerate(encoded) if tokens]
        answers: list[list[tuple[float, str]]] = [[] for _ in lines]
        if not filled:
            return answers
        lengths = torch.tensor([len(encoded[place]) for place in filled])
        rows = [torch.tensor(encoded[place]) for place in filled]
        found = self.system.translate(torch.nn.utils.rnn.pad_sequence(rows, batch_first=True), lengths, **self.search)
        for row, place in enumerate(filled):
            ranks = range(int((found.lengths[row] > 0).sum()))
            answers[place] = [(float(found.scores[row, rank]), text_of(found, row, rank, self.target)) for rank in ranks]
        return answers

    def shown(self, number: int, answers: Iterable[tuple[float, str]]) -> Iterator[str]:
        """The lines of output for line ``number`` of input."""
        if self.request.n_best > 1 or self.request.scores:
            yield from (f"{number}\t{score:.4f}\t{text}" for score, text in answers)
        else:
            yield next((text for _, text in answers), "")
