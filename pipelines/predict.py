"""Answer the lines of standard input by a run: ``python -m pipelines.predict run=runs/multi30k_de_en/lstm/1 < lines``.

A run of a translation task translates lines, one of a tagging task tags their words. To one of signals a line names a sound
file or holds the way of a pen. A line that is not UTF-8, or no such signal, is answered like an empty one; an error names it,
and in the end the exit code is 1.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines.kinds.lines import CLASSIFIED, RECOGNIZED, SEARCH, UTTERANCE, LineReader
from pipelines.settings.compose import exit_on_user_error
from pipelines.settings.schema import validate
from rnn_lightning.corpora.lexicon import LEXICON


def reader(told: dict[str, Any]) -> LineReader:
    """What answers lines by the run in the folder ``told["run"]``; the rest of ``told`` is for it.

    Raises:
        FileNotFoundError: where the folder holds no evaluated run of text or signals.
        ValueError: for a key or value that the run's reader does not have.
    """
    if "run" not in told:
        raise ValueError("run=FOLDER must name the folder of an evaluated run")
    run = Path(told["run"])
    if (run / SEARCH).exists():
        from pipelines.kinds.translated_lines import LineTranslator, TranslationRequest

        return LineTranslator(validate(TranslationRequest, told))
    if (run / LEXICON).exists():
        from pipelines.kinds.tagged_lines import LineTagger, TaggingRequest

        return LineTagger(validate(TaggingRequest, told))
    marks = [mark for mark in (RECOGNIZED, UTTERANCE, CLASSIFIED) if (run / mark).exists()]
    if not marks:
        lacking = f"it has none of {', '.join((SEARCH, LEXICON, RECOGNIZED, UTTERANCE, CLASSIFIED))}"
        raise FileNotFoundError(f"{run} is no evaluated run of text or signals: {lacking}")
    from pipelines.kinds import signal_lines

    if marks[0] == RECOGNIZED:
        return signal_lines.LabelReader(validate(signal_lines.RecognitionRequest, told))
    request = validate(signal_lines.SignalRequest, told)
    return signal_lines.FrameReader(request) if marks[0] == UTTERANCE else signal_lines.ClassReader(request)


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
    exit_on_user_error(lambda: predict(sys.argv[1:]))
