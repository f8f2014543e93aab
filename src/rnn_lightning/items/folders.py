"""What a folder holds for a predictor: a description, the checkpoint, and the files that the description names."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..checks import shown
from ..files import check_sums, read_json

if TYPE_CHECKING:
    from tokenizers import Tokenizer

CHECKPOINT, DESCRIPTION, EXPORT = "model.ckpt", "predictor.json", "export.json"
AGAIN, AGAIN_EXPORTED = "evaluate the run again", "export the run again"
TRAINING, METRICS, CARD, MEASURED = "training.json", "metrics.json", "card.json", "measured.json"
"""The files by which a training, an evaluated run, a processed corpus and a measurement on another corpus are known."""
CONFIG = "config.json"
EXAMPLE = "runs/dates/lstm/1"
TAKERS = {
    "onnx": "`python -m rnn_lightning.runtime {folder}` answers by it",
    "torch_export": "`torch.export.load` reads its graphs",
    "safetensors": "`rnn predict`, `rnn serve` and `rnn share` take it",
}
"""By the format of an export, what takes it."""
DESCRIBED: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("classification", "frames", "language", "values"), ("inputs",)),
    "regression": ("inputs", "value"),
    "recognition": ("inputs", "search", "tested_with"),
    "forecasts": ("inputs", "width"),
    "tagging": ("lexicon",),
    **dict.fromkeys(("transcription", "transduction"), ("inputs", "search")),
    "translation": ("tokenizer", "target_tokenizer", "search"),
}
"""The keys of a description besides ``predictor`` and ``files``, by the predictor's name."""
PARTNERS = ("ensemble", "fusion")
"""Settings of a search that name other runs: encoder-decoders that search together with the run, and a language model."""


def read_description(folder: str | Path) -> dict[str, Any]:
    """What predicts from the files in ``folder``: ``{"predictor": NAME, "files": [...], ...}``, and settings of that predictor.

    Raises:
        FileNotFoundError: where there is none.
        ValueError: where a file that it names is not in the folder, or one is damaged; for a key that its predictor does not
            read.
    """
    file = Path(folder) / DESCRIPTION
    if not file.exists():
        raise FileNotFoundError(no_run(folder))
    check_sums(Path(folder), [DESCRIPTION], again=again_for(folder))
    description = read_json(file)
    name = str(description.get("predictor"))
    known = ("predictor", "files", *DESCRIBED.get(name, description))
    if unknown := sorted(set(description) - set(known)):
        raise ValueError(f"{file} has {', '.join(known)}, and no {shown(unknown[0])}: {again_for(folder)}")
    files = description.get("files", [])
    if not isinstance(files, list):
        raise ValueError(f"files of {file} must be a list of names, not {files!r}")
    for name in files:
        file_in(folder, name)
    return description


def search_of_test(folder: str | Path) -> Mapping[str, Any]:
    """The search by which the run in ``folder``, a recogniser, was tested; nothing where it was the best path, or an earlier
    version left no word of it."""
    return {} if "search" not in read_description(folder) else settings_of(folder, "search")


def said_of_test(folder: str | Path) -> str | None:
    """What was part of the test of the run in ``folder`` and is no part of its answers, in a line; ``None``: nothing."""
    fusion = read_description(folder).get("tested_with")
    if fusion is None:
        return None
    values = ", ".join(f"{name} {value}" for name, value in fusion.items() if name != "sha256")
    return f"{folder} was tested with a language model ({values}), which its folder does not hold: it answers without one"


def partners_in(description: Mapping[str, Any]) -> list[str]:
    """The settings by which the search of a ``description`` names other runs, which its folder does not hold."""
    search = description.get("search")
    return [name for name in PARTNERS if name in search] if isinstance(search, dict) else []


def check_alone(folder: str | Path) -> None:
    """Refuse a run that was tested together with others, where its own network alone is to be passed on.

    Raises:
        ValueError: naming the settings.
    """
    if named := partners_in(read_description(folder)):
        raise ValueError(
            f"{folder} was tested together with other runs (search: {', '.join(named)}), which its folder does not hold: give "
            "the run that was evaluated alone"
        )


def again_for(folder: str | Path) -> str:
    """What makes the files of ``folder`` again: those of a run, or of its export."""
    return AGAIN_EXPORTED if (Path(folder) / EXPORT).exists() else AGAIN


def no_run(folder: str | Path) -> str:
    """Why ``folder`` is not that of an evaluated run: what it is, and what to do."""
    return f"{folder} {next(_what_it_is(Path(folder)))}"


def _what_it_is(folder: Path) -> Iterator[str]:
    """What can be said of a ``folder`` that is not that of an evaluated run, what says most first."""
    advice = f"give the folder of an evaluated run, such as {EXAMPLE}"
    has = {name for name in (EXPORT, TRAINING, METRICS, MEASURED, CARD, CONFIG) if (folder / name).exists()}
    if not folder.is_dir():
        yield f"{'is a file' if folder.exists() else 'does not exist'}: {advice}"
    if EXPORT in has:
        form = str(read_json(folder / EXPORT).get("format"))
        takes = TAKERS.get(form, "`rnn export` made it").format(folder=folder)
        yield f"is the export of a run as {form}, and {takes}: give the folder of the run itself, such as {EXAMPLE}"
    if has & {TRAINING, METRICS} == {TRAINING}:
        yield "has a training that is not evaluated: `rnn evaluate` with its settings makes a run of it in runs/"
    if MEASURED in has:
        yield f"has the measurement of a run on another corpus: {advice}"
    if METRICS in has:
        yield f"has a run without {DESCRIPTION}, as earlier versions left it: {AGAIN}"
    if CARD in has:
        yield f"has the data of a corpus, and no network: {advice}"
    if CONFIG in has:
        yield f"has weights alone, which `from_pretrained` reads, and no {DESCRIPTION}: {advice}"
    if inside := [file.parent for depth in ("*", "*/*") for file in sorted(folder.glob(f"{depth}/{METRICS}"))]:
        yield f"has runs in folders of their own: give one of these, such as {inside[0]}"
    yield f"has no {DESCRIPTION}, and so no evaluated run: {advice}"


def file_in(folder: str | Path, name: Any) -> Path:
    """The file of that name in ``folder``, compared with its SHA-256.

    Raises:
        ValueError: for what is no name: a path that leads out of the folder, or no text; for a file that is damaged or missing.
    """
    if not isinstance(name, str) or name in ("", "..") or Path(name).name != name:
        raise ValueError(f"{Path(folder) / DESCRIPTION} must name files of its own folder, not {name!r}")
    check_sums(Path(folder), [name], again=again_for(folder))
    return Path(folder) / name


def settings_of(folder: str | Path, key: str) -> Mapping[str, Any]:
    """The settings that the description of ``folder`` has under ``key``.

    Raises:
        ValueError: where it has none.
    """
    settings = read_description(folder).get(key)
    if not isinstance(settings, dict):
        raise ValueError(f"{Path(folder) / DESCRIPTION} must have settings under {key!r}, not {settings!r}")
    return settings


def read_tokenizer(file: Path) -> "Tokenizer":
    """The tokenizer in a file.

    Raises:
        FileNotFoundError: where there is none.
        ValueError: where it holds no tokenizer.
    """
    from tokenizers import Tokenizer

    if not file.exists():
        raise FileNotFoundError(f"{file} is missing")
    try:
        return Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises no more special one
        raise ValueError(f"{file} is no tokenizer: {error}") from None
