"""Guesses about files of a person's own: which splits and columns they have, and which task they are most alike."""

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from pipelines.settings.headings import check_columns, columns_in, first_row, names_of
from pipelines.settings.keywords import unknown
from pipelines.settings.windows import window_of

KEYS = {
    **{"text": "a column of text", "label": "a column of classes", "value": "a column of numbers to predict, or [a,b]"},
    **{"source": "a column of text to translate", "target": "its translation"},
    **{"words": "a column of words, in CoNLL-U form, else a number from 1", "tags": "the column of their tags"},
    **{"sequence": "a column of lists of numbers, or [x,y], columns of numbers", "series": "the column that names a series"},
    **{"audio": "a column of sounds", "segments": "a column of lists of {label, start, end}"},
    **{"image": "a column of pictures", "strokes": "a column of pen strokes"},
    **{"targets": "a or [a,b], columns of numbers to forecast", "date": "the column of dates of a series in time"},
    **{"known": "a or [a,b], columns of numbers that are known in advance"},
}
"""The keys that name columns, and what these hold."""
STEMS = {"train": "train", "training": "train", "test": "test"}
STEMS |= dict.fromkeys(("validation", "valid", "val", "dev"), "validation")
"""What files and folders of splits are called."""


class Kind(NamedTuple):
    """A kind of data: the keys that it needs, others that it may have, the task that is ``like`` it, and what differs."""

    what: str
    like: str
    needs: tuple[str, ...]
    may: tuple[str, ...] = ()
    changes: Mapping[str, Any] = MappingProxyType({})


CTC = {"unit": "frames", "metric": {"name": "test/cer", "mode": "min"}}
LINES = {"label": None, "order": "columns", "height": 32}
KINDS = (
    Kind("text to translate", "multi30k_en_de", ("source", "target")),
    Kind("words with tags", "ewt", ("words", "tags"), changes={"corpus": {"row": None, "leave_out": []}}),
    Kind("pen strokes with their text", "unipen", ("strokes", "text"), changes={"corpus": {"writer": None}}),
    Kind(
        "lines of text in pictures",
        "mnist_rows",
        ("image", "text"),
        changes={
            **CTC,
            "corpus": LINES,
            "data": {"augment": []},
            "model": {"_target_": "rnn_lightning.CTCRecognizer", "unit": "character"},
        },
    ),
    Kind("pictures with a class", "mnist_rows", ("image", "label"), changes={"corpus": {"order": "columns", "height": 32}}),
    Kind("sound with aligned labels", "phonemes", ("audio", "segments"), ("label",), {"corpus": {"row": None, "group": None}}),
    Kind(
        "sound with its text",
        "phonemes_ctc",
        ("audio", "text"),
        changes={**CTC, "corpus": {"row": None, "label": None}, "model": {"unit": "character"}},
    ),
    Kind("sound with a class", "digits", ("audio", "label"), changes={"corpus": {"classes": None}}),
    Kind("series with a class", "japanese_vowels", ("sequence", "label"), ("series",), {"data": {"augment": []}}),
    Kind(
        "series with a number",
        "japanese_vowels",
        ("sequence", "value"),
        ("series",),
        {"metric": {"name": "test/loss", "mode": "min"}, "corpus": {"label": None}, "data": {"augment": []}},
    ),
    Kind("a series in time, to forecast", "etth1_ot_24", ("targets",), ("date", "known")),
    Kind("text with a class", "clinc", ("text", "label"), changes={"corpus": {"out_of_scope": None}}),
    Kind("running text", "shakespeare", ("text",)),
)


SEVERAL_NUMBERS = {"model": {"_target_": "rnn_lightning.SequenceRegressor"}, "metric": {"name": "test/mse", "mode": "min"}}
"""What differs where several numbers are to be told of a series."""


class Guess(NamedTuple):
    """What is guessed: ``what`` the data are, the task that they are ``like`` and what differs, files and columns by name."""

    what: str
    like: str
    changes: dict[str, Any]
    files: dict[str, Any]
    columns: dict[str, Any]
    names: list[str]


def guess(given: Any, columns: Mapping[str, Any]) -> Guess:
    """What the files ``given`` are, some ``columns`` being named.

    Raises:
        ValueError: where there is no such file or column, or its columns fit no kind.
    """
    files = files_of(given)
    first = next(iter(files.values()))
    there = columns_in(first)
    kind = kind_of(columns, there, str(first))
    check_columns(columns, first, there)
    known = {key: columns.get(key, there.get(key)) for key in (*kind.needs, *kind.may) if key in columns or key in there}
    changes, like, what = dict(kind.changes), kind.like, kind.what
    if "words" in known:
        like = scheme_of(first, known, like)
    more = sound_settings(first, known) if "audio" in known else {}
    if isinstance(known.get("value"), list):
        changes, what = changes | SEVERAL_NUMBERS, "series with several numbers"
    if "targets" in known:
        known |= {key: [known[key]] for key in ("targets", "known") if isinstance(known.get(key), str)}
        changes |= window_of(Path(names_of(first)[0]), known)
        changes["corpus"] |= {} if files.keys() == {"train"} else {"borders": None}
    changes["corpus"] = {**changes.get("corpus", {}), **known, **more}
    return Guess(what, like, changes, files, known, [Path(name).name for name in names_of(first)])


def files_of(given: Any) -> dict[str, Any]:
    """The files of each split.

    Raises:
        ValueError: for one that is not there, and a name among those of splits that is none of theirs.
    """
    named = isinstance(given, Mapping) and any(str(name).lower() in STEMS for name in given)
    files = given if named else {"train": given}
    _check_splits(files)
    if "train" not in (STEMS[name.lower()] for name in files):
        raise ValueError(f"from has no train split, but {', '.join(files)}: give from={{train: FILE}} beside it")
    if not all(map(names_of, files.values())):
        raise ValueError(f"from={given} names no file: give from=FILE, or from={{train: FILE, test: FILE}}")
    for name in (name for of_split in files.values() for name in names_of(of_split)):
        if not Path(name).exists():
            raise ValueError(f"{name} is missing; from must name files or folders")
    if files.keys() == {"train"} and isinstance(given, str) and Path(given).is_dir():
        inside = _splits_in(Path(given))
        if "train" in inside:
            files = {split: inside[split] for split in ("train", "validation", "test") if split in inside}
    return {STEMS[str(split).lower()]: of_split for split, of_split in files.items()}


def _splits_in(folder: Path) -> dict[str, str]:
    """The files, or the folders, in a folder that are named as splits are, by these."""
    found: dict[str, str] = {}
    inside = [path for path in sorted(folder.iterdir()) if path.name[0] not in "._" and path.name[-1] != "~"]
    folders = {path.name: path.name.lower() in STEMS for path in inside if path.is_dir()}
    if len(set(folders.values())) > 1:
        split, other = (next(name for name, known in folders.items() if known is wanted) for wanted in (True, False))
        advice = "rename it where it is a class, or give from={train: FOLDER, test: FOLDER}"
        raise ValueError(f"{folder} has the folder {split}, which is the name of a split, and {other}, which is none: {advice}")
    for path in inside:
        split = STEMS.get(path.stem.lower())
        if split is not None and (first := found.setdefault(split, str(path))) != str(path):
            advice = "give from={train: FILE, test: FILE}"
            raise ValueError(f"{folder} has the {split} split twice, {Path(first).name} and {path.name}: {advice}")
    return found


def _check_splits(files: Mapping[str, Any]) -> None:
    before: dict[str, str] = {}
    for name in map(str, files):
        if name.lower() not in STEMS:
            raise ValueError(f"{unknown(f'from.{name}', STEMS)}; files of parallel lines have no names of splits")
        if (first := before.setdefault(split := STEMS[name.lower()], name)) != name:
            raise ValueError(f"from has the {split} split twice, {first} and {name}: give its files as one list")


def kind_of(given: Mapping[str, Any], there: Mapping[str, str], name: str) -> Kind:
    """The kind that needs all keys that are ``given``, and no others than these and those that are ``there``.

    Raises:
        ValueError: where there is none; says which there are.
    """
    for kind in KINDS:
        if given.keys() <= {*kind.needs, *kind.may} and {*kind.needs} <= {*given, *there}:
            return kind
    forms = "; ".join(f"{' '.join(f'{key}=COLUMN' for key in kind.needs)} ({kind.what})" for kind in KINDS)
    raise ValueError(
        f"{name} has the columns {', '.join(dict.fromkeys(there.values()))}: say which are which, as one of {forms}"
    )


def scheme_of(files: Any, columns: Mapping[str, Any], like: str) -> str:
    """The task for these tags: ``wnut17`` where they are B-, I- and O."""
    from rnn_lightning.corpora.conll import column_rows

    path = Path(names_of(files)[0])
    if path.suffix not in (".conll", ".bio", ".iob", ".conllu"):
        return like
    tags = column_rows([path], None, [columns["tags"]])[columns["tags"]]
    return "wnut17" if any(tag.startswith("B-") for some in tags for tag in some) else like


def sound_settings(files: Any, columns: dict[str, Any]) -> dict[str, Any]:
    """The sampling rate of the first sound, and what the labels of segments are called."""
    import soundfile

    path, more = Path(names_of(files)[0]), {}
    if "segments" in columns and "label" not in columns:
        fields = first_row(path)[columns["segments"]][0]
        columns["label"] = next(iter(sorted(set(fields) - {"start", "end"})), "label")
    sound = next(islice(sounds_of(path, columns["audio"]), 1), None)
    if sound is not None:
        more["spectra"] = {"sampling_rate": soundfile.info(sound).samplerate}
    return more


def sounds_of(path: Path, column: str) -> Sequence[Path]:
    """The sounds in a folder, or the first that a table names."""
    from rnn_lightning.corpora.media import SOUNDS, named_files

    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.suffix.lower() in SOUNDS)
    return [path.parent / name for _, name in islice(named_files(path, column, None), 1) if name]
