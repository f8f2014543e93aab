"""Whether a stage has nothing to do: found out by hashes, before anything is imported that computes."""

import glob
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pipelines.runs.cards import card_of
from pipelines.runs.code import COMMANDS, code_of, own_code
from pipelines.runs.initial import source_of
from pipelines.runs.provenance import key_of
from pipelines.settings.base import PACKAGE
from pipelines.settings.schema import Experiment
from rnn_lightning.files import SUMS, DamagedError, check_sums, read_json, sha256, write_json

FILES = ("files", "tokenizer", "vectors")
"""Settings of a corpus that name local files."""
COMPUTES = ("numpy", "tokenizers", "datasets")
"""Packages whose versions may decide what a corpus becomes."""


def work_folder(experiment: Experiment, seed: int, facts: dict[str, Any]) -> Path:
    """Where a training of the experiment's configuration, data and code goes on."""
    return Path("work") / f"{experiment.task_name}-{experiment.trained(seed).parent.name}-{seed}-{key_of(facts)}"


def is_trained(experiment: Experiment, seed: int) -> bool:
    """Whether the folder of the seed's training is whole, and of this configuration, data and code."""
    trained, config = experiment.trained(seed), experiment.plain(seed)
    if not (trained / SUMS).exists() or not _is_whole(trained):
        return False
    facts = read_json(trained / "training.json")
    if facts["config"] != config or facts["data"] != card_of(experiment)["sha256"]["all"]:
        return False
    if facts.get("init_from") != source_of(experiment) or facts.get("own_code") != own_code(experiment.rnn):
        return False
    return (work_folder(experiment, seed, facts) / SUMS).exists()


def said_of_trained(experiment: Experiment, seed: int) -> str:
    """What is said of a seed's training that is done."""
    return f"{experiment.trained(seed)} is trained. Next: `python -m pipelines.evaluate` with the same settings"


def is_preprocessed(experiment: Experiment) -> bool:
    """Whether the processed corpus is whole, and what its raw files become by these settings, code and packages."""
    raw, processed, record = experiment.raw(), experiment.processed(), _record(experiment)
    whole = all((folder / SUMS).exists() and _is_whole(folder) for folder in (raw, processed))
    return whole and record.exists() and _read(record) == _preprocessing(experiment)


def note_preprocessed(experiment: Experiment) -> None:
    """Write down what the processed corpus, which has just been made, was made of; of files without sums that is not known."""
    if not (experiment.raw() / SUMS).exists():
        return
    record = _record(experiment)
    record.parent.mkdir(parents=True, exist_ok=True)
    write_json(record, _preprocessing(experiment))


def _record(experiment: Experiment) -> Path:
    return Path("work/preprocessed") / f"{experiment.task_name}.json"


def _preprocessing(experiment: Experiment) -> dict[str, Any]:
    installed = {each.name: each.version for each in metadata.distributions() if each.name in COMPUTES}
    settings = experiment.task.corpus.model_dump(mode="json", by_alias=True)
    names = _names([settings.get(key) for key in FILES])
    files = sorted(path for name in names for path in map(Path, glob.glob(name)) if path.is_file())
    return {
        "settings": settings,
        **({"files": sha256(*files)} if files else {}),
        "raw": sha256(experiment.raw() / SUMS),
        "processed": sha256(experiment.processed() / SUMS),
        "code": sha256(*code_of(COMMANDS["preprocess"]), *_own_code(experiment)),
        "packages": installed,
    }


def _names(files: Any) -> list[str]:
    """The names and patterns in settings of local files, by split and column or not."""
    if isinstance(files, str):
        return [files]
    parts = files.values() if isinstance(files, dict) else files or []
    return [name for part in parts for name in _names(part)]


def _own_code(experiment: Experiment) -> list[Path]:
    """The file of a corpus class that is none of the library's."""
    module = experiment.task.corpus.target.rpartition(".")[0]
    spec = None if module.partition(".")[0] == PACKAGE else find_spec(module)
    return [Path(spec.origin)] if spec is not None and spec.origin else []


def _read(record: Path) -> dict[str, Any] | None:
    try:
        return read_json(record)
    except ValueError:  # damaged: the corpus is made again
        return None


def _is_whole(folder: Path) -> bool:
    try:
        check_sums(folder, again="make it again")
    except DamagedError:
        return False
    return True
