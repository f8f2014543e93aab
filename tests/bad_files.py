"""Damaged and odd files: for each how it is made, what reads it, and the message or the answer that is right."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile
from PIL import Image

from rnn_lightning.corpora import SPLITS, TaggedFiles
from rnn_lightning.corpora.containers import CHUNKS
from rnn_lightning.corpora.images import picture_of
from rnn_lightning.corpora.lexicon import Lexicon
from rnn_lightning.corpora.parquet import read_table
from rnn_lightning.corpora.signals import samples_of
from rnn_lightning.corpora.text import read_lines
from rnn_lightning.files import read_json, write_sums
from rnn_lightning.items.folders import read_description, read_tokenizer
from rnn_lightning.vectors import read_vectors


class Case(NamedTuple):
    """A file of these ``content`` bytes, what ``read`` makes of it, and the ``right`` answer or, as text, the message."""

    content: bytes
    read: Callable[[Path], Any]
    right: Any


class Says(NamedTuple):
    """The pattern of a message of one line."""

    pattern: str


def sound(form: str = "WAV", subtype: str = "PCM_16", *, channels: int = 1, samples: int = 800) -> bytes:
    buffer = io.BytesIO()
    values = np.sin(np.arange(samples) * 0.05)[:, None].repeat(channels, 1)
    soundfile.write(buffer, 0.3 * values, 8000, format=form, subtype=subtype)
    return buffer.getvalue()


def picture(form: str = "PNG", *, mode: str = "L", orientation: int | None = None) -> bytes:
    """A picture of 3 by 2 pixels whose first is white, the others black."""
    values = np.zeros((2, 3), np.uint8)
    values[0, 0] = 255
    image, buffer = Image.fromarray(values).convert(mode), io.BytesIO()
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    image.save(buffer, format=form, exif=exif)
    return buffer.getvalue()


def words_of(path: Path) -> list[list[tuple[str, str]]]:
    corpus = TaggedFiles(files=dict.fromkeys(SPLITS, path), word=1, tag=2)
    return [list(zip(some.words, some.tags, strict=True)) for some in corpus.read(path)]


def conllu_of(path: Path) -> list[list[str]]:
    corpus = TaggedFiles(files=dict.fromkeys(SPLITS, path), word=2, tag=4, numbered=True, separator="tab")
    return [list(some.words) for some in corpus.read(path)]


def vectors_of(path: Path) -> list[list[float]]:
    return read_vectors(path, ["", "the", "猫"]).matrix.tolist()


def length_of(path: Path) -> int:
    return len(samples_of(path.read_bytes(), 8000))


def white_at(path: Path) -> list[list[int]]:
    return np.argwhere(picture_of(path.read_bytes()).features > 0.5).tolist()


def table_of(path: Path) -> Any:
    return read_table(path, ["text"]).num_rows


def described(path: Path) -> Any:
    folder = path.rename(path.with_name("predictor.json")).parent
    write_sums(folder)
    return read_description(folder)


WAV, FLAC, OGG, AIFF, AU = sound(), sound("FLAC"), sound("OGG", "VORBIS"), sound("AIFF"), sound("AU")
CAF, RF64 = sound("CAF"), sound("RF64")
PNG = picture()
UTF16 = "a X\nb Y\n".encode("utf-16")
AB = [[("a", "X"), ("b", "Y")]]
SHORT, NO_SOUND = Says("it is cut short"), Says("it is (cut short|no sound that can be read)")


def with_size(data: bytes, place: int, size: int) -> bytes:
    return data[:place] + size.to_bytes(4, "little") + data[place + 4 :]


SIZE_OF_DATA = WAV.index(b"data") + 4
TAGGED = {
    "LF": (b"a X\nb Y\n", AB),
    "no last LF": (b"a X\nb Y", AB),
    "CRLF": (b"a X\r\nb Y\r\n\r\n", AB),
    "CR": (b"a X\rb Y\r", AB),
    "mark": (b"\xef\xbb\xbfa X\nb Y\n", AB),
    "only a mark": (b"\xef\xbb\xbf", []),
    "nothing": (b"", []),
    "document": (b"-DOCSTART- O\n\na X\nb Y\n", AB),
    "document in the middle": (b"a X\n-DOCSTART- -X- O O\n\nb Y\n", [[("a", "X")], [("b", "Y")]]),
    "# first": (b"# X\n\n# Y\n", [[("#", "X")], [("#", "Y")]]),
    "comment": (b"# text = a b\na X\nb Y\n", AB),
    "comment of many columns": (b"# one two three\na X\nb Y\n", AB),
    "blanks": (b" a \t X \n \t\nb Y\n", [[("a", "X")], [("b", "Y")]]),
    "no-break space": ("a\u00a0b X\n".encode(), [[("a\u00a0b", "X")]]),
    "line separator": ("a\u2028b X\n".encode(), [[("a\u2028b", "X")]]),
    "next line": ("a\u0085b X\n".encode(), [[("a\u0085b", "X")]]),
    "Latin-1": (b"a X\nk\xe4se Y\n", Says(r":2 is not UTF-8 at byte 2: save it as UTF-8")),
    "UTF-16": (UTF16, Says(r":1 is not UTF-8 at byte 1: save it as UTF-8")),
    "UTF-16 without a mark": ("a X\n".encode("utf-16-le"), Says(r":1 has a zero byte, and so is no text")),
    "zero byte": (b"a X\nb\0 Y\n", Says(r":2 has a zero byte, and so is no text")),
    "more columns": (b"a X\nb Y Z\n", Says(r":2 has 3 columns, not 2 as the first line$")),
    "fewer columns": (b"a X\nb\n", Says(r":2 has 1 columns, not 2 as the first line$")),
    "one column": (b"a\nb\n", Says(r":1 has 1 columns, and so no column 2$")),
    "gzip": (b"\x1f\x8b\x08\0\0\0", Says(r":1 is not UTF-8 at byte 2: save it as UTF-8")),
}
CONLLU = {
    "multi-word row": (b"1-2\tdu\t_\t_\n1\tde\tde\tP\n2\tle\tle\tD\n", [["de", "le"]]),
    "empty node": (b"1\ta\ta\tX\n1.1\tb\tb\tX\n", [["a"]]),
    "comments": (b"#newdoc\n# text = #\n1\t#\t#\tX\n# within\n2\ta\ta\tX\n", [["#", "a"]]),
    "blanks for tabs": (b"1 a a X\n", Says(r":1 has 1 columns, and so no column 4$")),
}
VECTORS = {
    "mark": (b"\xef\xbb\xbfthe 1 2\n", [[0, 0], [1, 2], [0, 0]]),
    "mark before a header": (b"\xef\xbb\xbf1 2\nthe 1 2\n", [[0, 0], [1, 2], [0, 0]]),
    "CR": ("the 1 2\r猫 3 4\r".encode(), [[0, 0], [1, 2], [3, 4]]),
    "CRLF": ("the 1 2\r\n猫 3 4\r\n".encode(), [[0, 0], [1, 2], [3, 4]]),
    "line separator in a word": ("a\u2028b 1 2\nthe 3 4\n".encode(), [[0, 0], [3, 4], [0, 0]]),
    "nothing": (b"", Says(r" ends after 0 vectors, it should have at least one$")),
    "cut": (b"3 2\nthe 1 2\n", Says(r" ends after 1 vectors, it should have 3$")),
    "NaN": (b"the 1 nan\n", Says(r":1 is no vector: it has a number that is not finite$")),
    "Latin-1": (b"the 1 2\nk\xe4se 1 2\n", Says(r":2 is not UTF-8 at byte 2: save it as UTF-8")),
    "superscripts as a header": ("² ³\nthe 1 2\n".encode(), Says(r":1 is no vector")),
    "zero byte": (b"the 1 2\n\0 1 2\n", Says(r":2 has a zero byte")),
}
LINES = {
    "mark": (b"\xef\xbb\xbfa\nb\n", ["a", "b"]),
    "CRLF": (b"a\r\nb\r\n", ["a", "b"]),
    "blank lines": (b"a\n\nb", ["a", "", "b"]),
    "nothing": (b"", Says(r" is empty$")),
    "only a mark": (b"\xef\xbb\xbf", Says(r" is empty$")),
    "Latin-1": (b"\xe4", Says(r":1 is not UTF-8 at byte 1: save it as UTF-8")),
}
SOUND = {
    "whole": (WAV, 800),
    "RIFF 8 too many": (with_size(WAV, 4, len(WAV)), 800),
    "RIFF 0": (with_size(WAV, 4, 0), 800),
    "something behind": (WAV + b"LIST\4\0\0\0INFO", 800),
    "something cut behind": (WAV + b"LIST\xff\0\0\0INFO", 800),
    "data 2 too many": (with_size(WAV, SIZE_OF_DATA, 1602), SHORT),
    "last byte missing": (WAV[:-1], SHORT),
    "header alone": (WAV[:44], SHORT),
    "cut in its header": (WAV[:30], NO_SOUND),
    "FLAC": (FLAC, 800),
    "cut FLAC": (FLAC[: len(FLAC) * 6 // 10], NO_SOUND),
    "Ogg": (OGG, 800),
    "cut Ogg": (OGG[: len(OGG) * 6 // 10], SHORT),
    "AIFF": (AIFF, 800),
    "cut AIFF": (AIFF[: len(AIFF) * 6 // 10], SHORT),
    "AU": (AU, 800),
    "cut AU": (AU[: len(AU) * 6 // 10], SHORT),
    "CAF": (CAF, 800),
    "cut CAF": (CAF[: len(CAF) * 6 // 10], NO_SOUND),
    "RF64": (RF64, 800),
    "cut RF64": (RF64[: len(RF64) * 6 // 10], SHORT),
    "W64": (sound("W64"), Says("whether W64 is complete cannot be checked: convert it to WAV or FLAC")),
    "VOC": (sound("VOC"), Says("whether VOC is complete cannot be checked")),
    "stereo": (sound(channels=2), Says("it has 2 channels; features are those of one")),
    "no samples": (sound(samples=0), Says("it has no samples")),
    "nothing": (b"", Says("it is no sound that can be read")),
    "text": (b"not a sound", Says("it is no sound that can be read")),
    **{f"{start!r} alone": (start, Says("it is no sound that can be read")) for start in (*CHUNKS, b".snd", b"fLaC")},
    "OggS alone": (b"OggS", SHORT),
}
PICTURES = {
    "PNG": (PNG, [[0, 0]]),
    "transparent": (picture(mode="LA"), [[0, 0]]),
    "colours": (picture(mode="RGB"), [[0, 0]]),
    **{
        f"orientation {n}": (picture(orientation=n), at)
        for n, at in ((1, [[0, 0]]), (3, [[1, 2]]), (6, [[0, 1]]), (8, [[2, 0]]))
    },
    "orientation 99": (picture(orientation=99), [[0, 0]]),
    "cut": (PNG[:40], Says("its picture is damaged")),
    "nothing": (b"", Says("it has no picture")),
    "text": (b"not a picture", Says("its picture is damaged")),
}
OBJECTS = {
    "mark": (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
    "list": (b"[1]", Says(r" must hold a JSON object, not list$")),
    "cut": (b'{"a": ', Says(r" is not JSON: ")),
    "nothing": (b"", Says(r" is not JSON: ")),
    "Latin-1": (b'{\n"\xe4": 1}', Says(r":2 is not UTF-8 at byte 2: save it as UTF-8")),
    "zero bytes": (b"\0" * 9, Says(r":1 has a zero byte")),
}
OTHERS = {
    "lexicon of other keys": Case(b'{"words": []}', Lexicon.read, Says("is no lexicon")),
    "lexicon that is text": Case(b"a", Lexicon.read, Says("is not JSON")),
    "tokenizer that is text": Case(b"a", read_tokenizer, Says("is no tokenizer")),
    "tokenizer without a model": Case(b"{}", read_tokenizer, Says("is no tokenizer")),
    "Parquet that is text": Case(b"text\na\n", table_of, Says("cannot read ")),
    "Parquet that is empty": Case(b"", table_of, Says("cannot read ")),
    "description with a path": Case(
        json.dumps({"files": ["../a"]}).encode(), described, Says("must name files of its own folder")
    ),
    "description with a text for files": Case(b'{"files": "a"}', described, Says("must be a list of names, not 'a'")),
}
READERS: list[tuple[str, dict[str, tuple[bytes, Any]], Callable[[Path], Any]]] = [
    ("tagged", TAGGED, words_of),
    ("CoNLL-U", CONLLU, conllu_of),
    ("vectors", VECTORS, vectors_of),
    ("text", LINES, read_lines),
    ("sound", SOUND, length_of),
    ("picture", PICTURES, white_at),
    ("JSON", OBJECTS, read_json),
]
CASES = OTHERS | {
    f"{kind}: {name}": Case(content, read, right) for kind, some, read in READERS for name, (content, right) in some.items()
}
