"""Answer the lines of standard input by an exported network: ``python -m rnn_lightning.runtime exports/dates-lstm-1 < lines``.

Further words are options KEY=VALUE: ``format``, ``threads``, and those of the network's kind, as ``rnn predict`` has them. It
takes NumPy and onnxruntime, and tokenizers where text is encoded by one, but not PyTorch.
"""

import inspect
import json
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any


def main(words: Sequence[str]) -> int:
    """Answer standard input on standard output, line by line; gives the exit code, 1 where a line could not be answered.

    Raises:
        ValueError: for an option that there is not, or a folder that is no exported network.
    """
    from ..items.lines import LineReader, standard_input  # what takes time to import is imported where Ctrl-C ends in a line
    from . import deployed_class

    if not words or any(word in ("-h", "--help") for word in words):
        print(str(__doc__).replace("``", "`"))
        return 0 if words else 2
    folder, given = words[0], dict(read_option(word) for word in words[1:])
    kind = deployed_class(folder)
    known = [name for name in inspect.signature(kind.load).parameters if name != "folder"]
    form = given.pop("format", kind.formats[0])
    if form not in kind.formats:
        raise ValueError(f"format must be one of {list(kind.formats)}, not {form!r}")
    if unknown := [name for name in given if name not in known]:
        raise ValueError(f"{unknown[0]}: there is no such option; there are format, {', '.join(known)}")
    lines = LineReader(kind.load(folder, **given), form)
    for answer in lines.answer(standard_input()):
        print(answer, flush=True)
    return int(lines.refused > 0)


def read_option(word: str) -> tuple[str, Any]:
    """The name and the value of an option KEY=VALUE; a value is JSON, or else text.

    Raises:
        ValueError: for what is none.
    """
    name, equals, value = word.partition("=")
    if not equals or not name:
        raise ValueError(f"{word} is no option: give KEY=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        if value.lstrip()[:1] in ("{", "["):
            raise ValueError(f'{name} is no JSON: write names and texts in ", such as constraints={{"prefix": "19"}}') from None
        return name, value


def command(words: Sequence[str]) -> int:
    """As `main`, with one line and the exit code 2 for what its user can mend; ends silently where its reader has gone."""
    try:
        return main(words)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python still has to print
        return 128 + signal.SIGPIPE
    except (ValueError, OSError, FloatingPointError, ImportError) as error:
        print(f"error: {(str(error).splitlines() or [type(error).__name__])[0]}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    raise SystemExit(command(sys.argv[1:]))
