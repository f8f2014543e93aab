"""Files such as a person has on disk, of every kind that a corpus reads, and the settings that name them."""

import io
import json
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pyarrow import parquet

from rnn_lightning import corpora
from rnn_lightning.corpora import SPLITS

ROWS = 40
WORDS = ("the", "cat", "sat", "dog", "ran", "far", "home", "here")


def draws(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def sentences(count: int, seed: int = 0) -> list[str]:
    drawn = draws(seed)
    return [" ".join(drawn.choice(WORDS, drawn.integers(3, 7))) for _ in range(count)]


def write_text(folder: Path) -> None:
    (folder / "book.txt").write_text("\n".join(sentences(300)) + "\n")


def write_pairs(folder: Path) -> None:
    lines = sentences(ROWS)
    (folder / "train.de").write_text("\n".join(lines) + "\n")
    (folder / "train.en").write_text("\n".join(line.upper() for line in lines) + "\n")


def write_tags(folder: Path, suffix: str = "conll") -> None:
    blocks = [
        "\n".join(f"{word} {'B-X' if word in ('cat', 'dog') else 'O'}" for word in line.split()) for line in sentences(ROWS)
    ]
    (folder / f"names.{suffix}").write_text("\n\n".join(blocks) + "\n")


def write_conllu(folder: Path) -> None:
    """With documents, comments, a multi-word token, an empty node, a byte order mark, CRLF and a no-break space in a word."""
    text = "\ufeff"
    for number, line in enumerate(sentences(ROWS)):
        text += f"# newdoc id = {number // 4}\n" if number % 4 == 0 else ""
        text += f"# sent_id = {number}\n1-2\tdunno\t_\t_\t_\t_\t_\t_\t_\t_\n"
        for place, word in enumerate([*line.split(), "10\u00a0000"], 1):
            text += f"{place}\t{word}\t_\t{'NOUN' if word in ('cat', 'dog') else 'X'}\t_\t_\t_\t_\t_\t_\n"
        text += "8.1\tgone\t_\tVERB\t_\t_\t_\t_\t_\t_\n\n"
    (folder / "bank.conllu").write_text(text.replace("\n", "\r\n"), newline="")


def write_reviews(folder: Path) -> None:
    stars = [row % 3 + 1 for row in range(ROWS)]
    cells = [f'"{line}, ""so"" they say",{star}' for line, star in zip(sentences(ROWS), stars, strict=True)]
    (folder / "reviews.csv").write_text("\n".join(["body,stars", *cells]) + "\n")


def write_series(folder: Path) -> None:
    """A row a step, and a number and a class of the whole series."""
    drawn, lines = draws(), ["id,x,y,kind,weight"]
    for row in range(ROWS):
        kind = "ab"[row % 2]
        lines += [f"{row},{x:.3f},{y:.3f},{kind},{row / 10}" for x, y in drawn.normal(row % 2, 1, (drawn.integers(3, 8), 2))]
    (folder / "series.csv").write_text("\n".join(lines) + "\n")


def write_bodies(folder: Path) -> None:
    """A row a step, and two numbers of the whole series."""
    write_series(folder)
    heading, *lines = (folder / "series.csv").read_text().splitlines()
    heights = [f"{line},{int(line.partition(',')[0]) % 7}" for line in lines]
    (folder / "bodies.csv").write_text("\n".join([f"{heading},height", *heights]) + "\n")


def write_wide(folder: Path) -> None:
    """A row a series of five steps, and its class."""
    rows = [",".join(f"{x:.3f}" for x in draws(row).normal(row % 2, 1, 5)) + f",{row % 2}" for row in range(ROWS)]
    (folder / "wide.csv").write_text("\n".join(["t0,t1,t2,t3,t4,label", *rows]) + "\n")


def wav(seed: int) -> bytes:
    """A third of a second of noise at 8000 Hz."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes((draws(seed).normal(0, 2000, 2400)).astype("<i2").tobytes())
    return file.getvalue()


def write_sounds(folder: Path) -> None:
    """Sounds with a table of their transcripts, and others in a folder a class."""
    (folder / "sounds").mkdir()
    lines = ["file,text"]
    for row in range(ROWS):
        (folder / "sounds" / f"{row}.wav").write_bytes(wav(row))
        lines.append(f"sounds/{row}.wav,{'yes' if row % 2 else 'no'}")
        spoken = folder / "words" / ("yes" if row % 2 else "no")
        spoken.mkdir(parents=True, exist_ok=True)
        (spoken / f"{row}.wav").write_bytes(wav(row))
    (folder / "spoken.csv").write_text("\n".join(lines) + "\n")
    spans = [{"label": "a", "start": 0.0, "end": 0.15}, {"label": "b", "start": 0.15, "end": 0.3}]
    aligned = [json.dumps({"audio": f"sounds/{row}.wav", "phones": spans}) for row in range(ROWS)]
    (folder / "aligned.jsonl").write_text("\n".join(aligned) + "\n")


def write_pictures(folder: Path) -> None:
    """Lines in pictures, with ``metadata.csv`` of their text."""
    (folder / "lines").mkdir()
    table = ["file_name,text"]
    for row, line in enumerate(sentences(ROWS)):
        Image.fromarray(draws(row).integers(0, 255, (12, 80), dtype=np.uint8)).save(folder / "lines" / f"{row}.png")
        table.append(f"{row}.png,{line[:5]}")
    (folder / "lines" / "metadata.csv").write_text("\n".join(table) + "\n")


def write_strokes(folder: Path) -> None:
    rows = []
    for row in range(ROWS):
        stroke = np.cumsum(draws(row).normal(1, 1, (12, 2)), axis=0).round(2).tolist()
        rows.append(json.dumps({"strokes": [stroke, stroke[::-1]], "word": "hi" if row % 2 else "ho"}))
    (folder / "pen.jsonl").write_text("\n".join(rows) + "\n")


HELD = {"held_out": {"share": 0.2, "test": 0.2, "seed": 1}}
SPECTRA = {"spectra": {"sampling_rate": 8000, "kind": "log_mel", "mels": 8, "deltas": 0}}
KINDS: dict[str, tuple[Callable[[Path], None], str, dict[str, Any]]] = {
    "text": (write_text, "Text", {"files": "book.txt", "level": "character", "end_of_line": False}),
    "parallel text": (
        write_pairs,
        "Translation",
        {"files": {"train": {"de": "train.de", "en": "train.en"}}, "source": "de", "target": "en", "level": "word"},
    ),
    "tagged words": (write_tags, "Tagging", {"files": "names.conll", "words": "1", "tags": "2"}),
    "CoNLL-U": (write_conllu, "Tagging", {"files": "bank.conllu", "words": "form", "tags": "upos"}),
    "text with a class": (write_reviews, "LabelledText", {"files": "reviews.csv", "text": "body", "label": "stars"}),
    "series with a class": (
        write_series,
        "Series",
        {"files": "series.csv", "series": "id", "sequence": ["x", "y"], "label": "kind"},
    ),
    "series with a number": (
        write_series,
        "Series",
        {"files": "series.csv", "series": "id", "sequence": ["x", "y"], "value": "weight"},
    ),
    "series with numbers": (
        write_bodies,
        "Series",
        {"files": "bodies.csv", "series": "id", "sequence": ["x", "y"], "value": ["weight", "height"]},
    ),
    "a series a row": (write_wide, "Series", {"files": "wide.csv", "sequence": ["t*"], "label": "label"}),
    "sound with a transcript": (
        write_sounds,
        "TranscribedSpeech",
        {"files": "spoken.csv", "audio": "file", "text": "text", **SPECTRA},
    ),
    "sound with a class": (write_sounds, "SpokenClasses", {"files": "words", "label": "label", **SPECTRA}),
    "aligned sound": (
        write_sounds,
        "FramewiseSpeech",
        {"files": "aligned.jsonl", "segments": "phones", "label": "label", **SPECTRA},
    ),
    "lines in pictures": (
        write_pictures,
        "Images",
        {"files": "lines", "image": "image", "text": "text", "order": "columns", "height": 12},
    ),
    "pen strokes": (write_strokes, "Handwriting", {"files": "pen.jsonl", "strokes": "strokes", "text": "word"}),
}
"""By the name of a kind of data: what writes its files, and the corpus that reads them."""


def fetched(corpus: str, **settings: Any) -> dict[str, list[dict[str, Any]]]:
    """The rows of each split that a corpus fetches, and preprocesses without complaint."""
    made = getattr(corpora, corpus)(**settings)
    made.fetch(Path("raw"))
    made.preprocess(Path("raw"), Path("processed"))
    return {split: parquet.read_table(f"raw/{split}.parquet").to_pylist() for split in SPLITS}
