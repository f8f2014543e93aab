"""Answers of predictors as HTML: words with their tags, attention as a heat map, translations with their scores.

All text of an answer or of a person is escaped here.
"""

import html
import json
import math
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

OUTSIDE = ("O", "_", "X")
"""Tags that mark no span, or that say nothing of a word; they have no colour."""


def error(reason: str) -> str:
    """Why there is no answer."""
    return f'<p class="refused" role="alert">{html.escape(reason)}</p>'


def tagged(answer: Mapping[str, Any]) -> str:
    """Words over their tags, a colour for each tag."""
    cells = []
    for word, tag in zip(answer["words"], answer["tags"], strict=True):
        colour = "transparent" if tag in OUTSIDE else colour_of(tag)
        cells.append(
            f'<span class="word" style="background:{colour}">{html.escape(word)}<small>{html.escape(tag)}</small></span>'
        )
    return f'<div class="words">{" ".join(cells)}</div>'


def colour_of(tag: str) -> str:
    """A light colour for a tag; of B-PER and I-PER the same."""
    kind = tag.split("-", 1)[-1]
    return f"hsl({zlib.crc32(kind.encode()) % 360} 65% 85%)"


def ranked(answer: Mapping[str, Any]) -> str:
    """The hypotheses of a beam, best first, with their scores."""
    rows = answer.get("n_best") or [answer]
    if not any(row.get("text") for row in rows):
        return ""
    lines = [
        f"<tr><td>{number}</td><td>{html.escape(row['text'])}</td><td>{row.get('score', math.nan):.2f}</td></tr>"
        for number, row in enumerate(rows, 1)
    ]
    return f'<table class="beam"><tr><th></th><th>hypothesis</th><th>score</th></tr>{"".join(lines)}</table>'


def attention(source: Sequence[str], target: Sequence[str], weights: Sequence[Sequence[float]]) -> str:
    """A heat map: a row for each target token, a column for each source token, darker where the weight is larger."""
    head = "".join(f"<th><span>{html.escape(label(token))}</span></th>" for token in source)
    lines = [f"<tr><th></th>{head}</tr>"]
    for token, row in zip(target, weights, strict=True):
        cells = "".join(
            f'<td style="background:rgb(25 95 165 / {100 * weight:.0f}%)" title="{weight:.2f}"></td>'
            for weight in row[: len(source)]
        )
        lines.append(f"<tr><th>{html.escape(label(token))}</th>{cells}</tr>")
    return f'<table class="attention">{"".join(lines)}</table>'


def label(token: str) -> str:
    """A token beside a heat map: without the blanks around it, and a blank alone as a sign that is seen."""
    return token.strip() or token.replace("\n", "\u23ce").replace(" ", "\u2423")


def continued(prompt: str, text: str) -> str:
    """A prompt, and what a language model adds to it."""
    return f'<pre class="text">{html.escape(prompt)}<b>{html.escape(text)}</b></pre>'


def recognised(answer: Mapping[str, Any]) -> str:
    """The text of a signal, large, and below it each label in the strength of its confidence."""
    labels = answer.get("labels", [])
    marks = "".join(
        f'<span style="opacity:{0.25 + 0.75 * label["confidence"]:.2f}" title="{label["confidence"]:.2f}">'
        f"{html.escape(str(label['label']))}</span>"
        for label in labels
    )
    return f'<p class="read">{html.escape(answer["text"]) or "&nbsp;"}</p><p class="labels">{marks or "&nbsp;"}</p>'


def classified(answer: Mapping[str, Any]) -> str:
    """A class, and a bar for its probability."""
    sure = float(answer.get("confidence", 0.0))
    bar = f'<div class="bar"><div style="width:{100 * sure:.0f}%"></div></div>'
    return f'<p class="read">{html.escape(str(answer["text"]))}</p>{bar}<p>probability {sure:.3f}</p>'


def plain(answer: Mapping[str, Any]) -> str:
    """Any answer as JSON."""
    return f'<pre class="text">{html.escape(json.dumps(answer, indent=1, ensure_ascii=False))}</pre>'
