"""Answer the lines of standard input by a run: ``python -m pipelines.predict run=runs/multi30k_de_en/lstm/1 < lines``.

A run of a translation task translates lines, one of a tagging task tags their words. A line that is not UTF-8 is answered
like an empty one; an error names it, and in the end the exit code is 1.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines.composition import checked, refusing
from pipelines.lines import SEARCH, LineReader
from rnn_lightning.corpora.lexicon import LEXICON


def reader(told: dict[str, Any]) -> LineReader:
    """What answers lines by the run in the folder ``told["run"]``; the rest of ``told`` is for it.

    Raises:
        FileNotFoundError: where the folder holds no evaluated run of text.
        ValueError: for a key or value that the run's reader does not have.
    """
    if "run" not in told:
        raise ValueError("run=FOLDER must name the folder of an evaluated run")
    run = Path(told["run"])
    if (run / SEARCH).exists():
        from pipelines.translated_lines import LineTranslator, TranslationRequest

        return LineTranslator(checked(TranslationRequest, told))
    if (run / LEXICON).exists():
        from pipelines.tagged_lines import LineTagger, TaggingRequest

        return LineTagger(checked(TaggingRequest, told))
    raise FileNotFoundError(f"{run} is no evaluated run of a translation or tagging task: it has no {SEARCH} and no {LEXICON}")


def predict(arguments: Sequence[str]) -> None:
    """Answer standard input on standard output, line by line."""
    from omegaconf import OmegaConf

    told: Any = OmegaConf.to_container(OmegaConf.from_dotlist(list(arguments)))
    lines = reader(told)
    for answer in lines.answer(sys.stdin.buffer):
        print(answer, flush=True)
    if lines.refused:
        raise SystemExit(1)


if __name__ == "__main__":
    refusing(lambda: predict(sys.argv[1:]))
