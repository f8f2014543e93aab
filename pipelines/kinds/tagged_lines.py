"""Lines tagged by a stored run: a line gives a sentence of words with their tags."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, PositiveInt

from pipelines.kinds.lines import LineReader
from pipelines.kinds.tagging import tag_sentences
from rnn_lightning.corpora.lexicon import LEXICON, Lexicon
from rnn_lightning.systems.tagger import Tagger

TOKEN = re.compile(r"\w+|[^\w\s]")


class TaggingRequest(BaseModel):
    """``run`` is a run's folder.

    ``tokens`` says what the words of a line are: ``simple``, runs of letters, digits and underscores, and every other sign
    alone; or ``blanks``, what stands between blanks. ``format`` is ``conll``, a word and its tag a line and a blank line
    after each sentence, or ``json``, ``{"line": ..., "words": [...], "tags": [...]}`` a line. A line without text is a
    sentence without words.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    run: Path
    format: Literal["conll", "json"] = "conll"
    tokens: Literal["simple", "blanks"] = "simple"
    batch_size: PositiveInt = 32


class LineTagger(LineReader):
    """A stored tagger, from text to words and tags."""

    def __init__(self, request: TaggingRequest) -> None:
        """Load the run."""
        super().__init__(request.batch_size)
        self.request = request
        self.lexicon = Lexicon.read(request.run / LEXICON)
        self.system = Tagger.load_from_checkpoint(request.run / "model.ckpt", map_location="cpu", weights_only=True).eval()

    def respond(self, lines: Sequence[tuple[int, str]]) -> Iterator[str]:
        sentences = [words_in(line, self.request.tokens) for _, line in lines]
        tags = tag_sentences(self.system, self.lexicon, sentences)
        for (number, _), words, their_tags in zip(lines, sentences, tags, strict=True):
            yield shown(number, words, their_tags, self.request.format)


def words_in(line: str, tokens: str) -> list[str]:
    """The words of a line of text: see `TaggingRequest`."""
    return TOKEN.findall(line) if tokens == "simple" else line.split()


def shown(number: int, words: Sequence[str], tags: Sequence[str], form: str) -> str:
    """The output for line ``number`` of input, without its last line end."""
    if form == "json":
        return json.dumps({"line": number, "words": list(words), "tags": list(tags)}, ensure_ascii=False)
    return "".join(f"{word}\t{tag}\n" for word, tag in zip(words, tags, strict=True))
