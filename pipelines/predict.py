"""Translate the lines of standard input: ``python -m pipelines.predict run=runs/multi30k_de_en/lstm/1 < lines``.

A line gives a line, an empty one an empty one. A line that is not UTF-8 gives an empty line, an error that names it, and in
the end exit code 1.
"""

import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import BaseModel, ConfigDict, PositiveInt

from pipelines.composition import refusing


class Request(BaseModel):
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


class LineTranslator:
    """A stored model of translations, from text to text."""

    def __init__(self, request: Request) -> None:
        """Load the run.

        Raises:
            FileNotFoundError: where the folder holds no evaluated translation run.
        """
        from tokenizers import Tokenizer

        from pipelines.runs import read_json
        from pipelines.translation import SEARCH, SOURCE_TOKENIZER, TARGET_TOKENIZER, search_keywords
        from rnn_lightning.compress import compressed
        from rnn_lightning.systems.seq2seq import Seq2Seq

        run = request.run
        if not (run / SEARCH).exists():
            raise FileNotFoundError(f"{run} is no evaluated run of a translation task: it has no {SEARCH}")
        self.request = request
        told = {**read_json(run / SEARCH)["search"], **request.search}
        beam_size = max(told.get("beam_size", 5), request.n_best)
        self.search = search_keywords({**told, "beam_size": beam_size, "n_best": request.n_best})
        stored = Seq2Seq.load_from_checkpoint(run / "model.ckpt", map_location="cpu", weights_only=True).eval()
        self.system = stored if request.weights == "float32" else compressed(stored, request.weights)
        self.source, self.target = (Tokenizer.from_file(str(run / name)) for name in (SOURCE_TOKENIZER, TARGET_TOKENIZER))
        self.refused = 0

    def translate(self, lines: Sequence[str]) -> list[list[tuple[float, str]]]:
        """For each line its translations with their scores, the best first; none for a line without text."""
        import torch

        from pipelines.translation import text_of

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

    def answer(self, stream: BinaryIO) -> Iterator[str]:
        """What to print for each line of ``stream``; lines that are no text are named on standard error."""
        numbered = enumerate(stream, start=1)
        while batch := list(islice(numbered, 1 if stream.isatty() else self.request.batch_size)):
            texts = [self.decoded(line, number) for number, line in batch]
            for (number, _), answers in zip(batch, self.translate(texts), strict=True):
                yield from self.shown(number, answers)

    def decoded(self, line: bytes, number: int) -> str:
        """The text of a line; empty, with an error on standard error, where it is not UTF-8."""
        try:
            return line.decode("utf-8")
        except UnicodeDecodeError as error:
            print(f"error: line {number} is not UTF-8 at byte {error.start + 1}", file=sys.stderr)
            self.refused += 1
            return ""

    def shown(self, number: int, answers: Iterable[tuple[float, str]]) -> Iterator[str]:
        """The lines of output for line ``number`` of input."""
        if self.request.n_best > 1 or self.request.scores:
            yield from (f"{number}\t{score:.4f}\t{text}" for score, text in answers)
        else:
            yield next((text for _, text in answers), "")


def predict(arguments: Sequence[str]) -> None:
    """Answer standard input on standard output, line by line."""
    from omegaconf import OmegaConf

    told: Any = OmegaConf.to_container(OmegaConf.from_dotlist(list(arguments)))
    translator = LineTranslator(Request(**told))
    for line in translator.answer(sys.stdin.buffer):
        print(line, flush=True)
    if translator.refused:
        raise SystemExit(1)


if __name__ == "__main__":
    refusing(lambda: predict(sys.argv[1:]))
