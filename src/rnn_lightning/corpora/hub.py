"""Download of data sets from the Hugging Face Hub to Parquet files: with retries, pinned to a commit, and recorded.

The client retries some requests by itself, but fails on a single 503 on a file or a lost connection; so the whole download is
retried here. Files in the client's cache (``HF_HOME``) are not downloaded again.
"""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..files import read_text, sha256, whole_folder, write_json
from ..leftovers import unfinished_name
from .corpus import CorpusError
from .dividing import Loaded, check_rows, named_splits, needed_parts
from .files import SOURCE, read_json
from .retries import log, with_retries
from .streaming import Streaming

FOUND = ("commit", "licence", "rows", "files")
"""What a record says of the data that were found; all else is the configuration that asked for them."""


@dataclass(frozen=True)
class HubSource:
    """A data set on the Hub, and how to download it.

    ``revision`` is a branch, a tag or a commit. ``splits`` maps the splits to those of the data set, ``{"train":
    "train_clean_100", ...}``; without it all are taken by their own names. ``rows`` are the numbers of rows that splits must
    have. With ``streaming`` only some rows are read, and nothing else is kept. ``record`` is a small JSON file that the first
    fetch writes and every later one must agree with. A download is tried ``tries`` times, with pauses of ``wait``, 2 ``wait``,
    4 ``wait``, ... seconds (exponential backoff).
    """

    repository: str
    config: str
    revision: str
    record: Path
    rows: Mapping[str, int] | None = None
    splits: Mapping[str, str] | None = None
    streaming: Streaming | None = None
    tries: int = 6
    wait: float = 1.0

    def __post_init__(self) -> None:
        if self.tries < 1:
            raise ValueError(f"tries must be at least 1, not {self.tries}")
        if self.wait < 0:
            raise ValueError(f"wait must be 0 s or more, not {self.wait}")

    def __str__(self) -> str:
        return f"{self.repository} ({self.config}) at {self.revision}"

    def spec(self) -> dict[str, Any]:
        """The specification of the data set, which ``fetch_from_hub`` writes into ``source.json``."""
        splits = None if self.splits is None else dict(self.splits)
        asked = {"repository": self.repository, "config": self.config, "revision": self.revision, "splits": splits}
        return {**asked, "streaming": None if self.streaming is None else self.streaming.plain()}

    @property
    def title(self) -> str:
        """What titles call it."""
        return f"{self.repository} ({self.config})" + ("" if self.streaming is None else ", a part of its stream")

    def check_unchanged(self, source: Mapping[str, Any], raw: Path) -> None:
        """Nothing to check: a record of the Hub's files is compared as they are fetched."""

    @contextmanager
    def loaded(self, raw: Path) -> Iterator[Loaded]:
        """The data set, downloaded.

        Raises:
            CorpusError: where the Hub cannot be reached, or has no such data set.
        """
        if (streaming := self.streaming) is None:
            yield with_retries(lambda answered: _download(self, answered), self)
            return
        with tempfile.TemporaryDirectory(prefix=f"{unfinished_name(raw)}.", suffix=".partial", dir=raw.parent) as cache:
            yield with_retries(lambda answered: _stream(self, streaming, cache, answered), self)


def fetch_from_hub(source: HubSource, raw: Path) -> None:
    """Write ``SPLIT.parquet`` for each split of ``source``, and ``source.json``, to the folder ``raw``, atomically.

    Raises:
        CorpusError: where the Hub cannot be reached, has no such data set, or other bytes than on record.
    """
    with source.loaded(raw) as loaded:
        check_rows(loaded.splits, source.rows, f"{source}")
        write_fetched(raw, loaded, source.spec(), record=source.record)
    log(f"{source}: {sum(map(len, loaded.splits.values()))} rows in {raw}")


def write_fetched(raw: Path, loaded: Loaded, spec: Mapping[str, Any], *, record: Path | None = None) -> None:
    """Write ``SPLIT.parquet`` for each split, and ``source.json``, to the folder ``raw``, atomically.

    Raises:
        CorpusError: where the ``record`` has other bytes.
    """
    with whole_folder(raw, sums=True) as folder:
        files = {}
        for name, split in loaded.splits.items():
            split.to_parquet(folder / f"{name}.parquet")
            files[f"{name}.parquet"] = sha256(folder / f"{name}.parquet")
        content = {
            **{name: value for name, value in spec.items() if value is not None},
            **loaded.facts,
            "rows": {name: len(split) for name, split in loaded.splits.items()},
            "files": files,
        }
        write_json(folder / SOURCE, content)
        if record is not None:
            _check_record(record, content)


def _resolved(source: HubSource, answered: bool | None) -> tuple[Path, str]:
    """The data card and the commit of a data set, from the Hub, or from the cache where it cannot be reached.

    ``answered``: whether the Hub did so at the last try; ``None`` at the first.
    """
    from huggingface_hub import HfApi, hf_hub_download, try_to_load_from_cache

    repository, revision, card = source.repository, source.revision, "README.md"
    cached = isinstance(try_to_load_from_cache(repository, card, repo_type="dataset", revision=revision), str)
    if answered is False or (answered is None and not cached):
        HfApi().dataset_info(repository, revision=revision)  # fails at once, where a download would wait half a minute
    # The cache names a snapshot's folder after the commit, so this resolves a revision with and without a network.
    readme = Path(hf_hub_download(repository, card, repo_type="dataset", revision=revision))
    log(f"{source}: commit {readme.parent.name}")
    return readme, readme.parent.name


def _licence(readme: Path) -> str | None:
    from huggingface_hub import DatasetCard

    return DatasetCard(read_text(readme), ignore_metadata_errors=True).data.get("license")


def _stream(source: HubSource, streaming: Streaming, cache: str, answered: bool | None) -> Loaded:
    """Read a part from the Hub, to the folder ``cache``."""
    from datasets import load_dataset

    readme, commit = _resolved(source, answered)
    streams: Any = load_dataset(source.repository, name=source.config, revision=commit, streaming=True)
    return Loaded(streaming.drawn(streams, source.splits or {}, cache), {"commit": commit, "licence": _licence(readme)})


def _download(source: HubSource, answered: bool | None) -> Loaded:
    """Download from the Hub, or load from the cache where it cannot be reached."""
    from datasets import load_dataset_builder

    readme, commit = _resolved(source, answered)
    repository = source.repository
    builder = load_dataset_builder(repository, name=source.config, revision=commit)
    if builder.hash != commit:  # without a network the client loads any commit in its cache
        raise ConnectionError(f"the cache has commit {builder.hash}, not {commit}")
    if source.splits is not None:  # other splits, which may be a thousand times larger, are not downloaded
        known = dict(builder.config.data_files or {})
        files = {name: list(known[name]) for name in needed_parts(source.splits, sorted(known))}
        builder = load_dataset_builder(repository, name=source.config, revision=commit, data_files=files)
    builder.download_and_prepare()
    parts: Any = builder.as_dataset()
    splits = dict(sorted(parts.items())) if source.splits is None else named_splits(parts, source.splits)
    return Loaded(splits, {"commit": commit, "licence": _licence(readme)})


def _check_record(record: Path, content: Mapping[str, Any]) -> None:
    """Compare the hashes with those on record; write the record if this is the first fetch, or the first that holds rows out.

    Raises:
        CorpusError: where they differ; where the record is of another configuration, naming what differs.
    """
    known = read_json(record) if record.exists() else {}
    if not known or ("held_out" in content and "held_out" not in known):
        write_json(record, content)
        return
    files = sorted(known["files"].keys() | content["files"].keys())
    changed = [name for name in files if known["files"].get(name) != content["files"].get(name)]
    if not changed:
        return
    keys = sorted((known.keys() | content.keys()) - set(FOUND))
    if other := [
        f"{key} was {known.get(key)!r}, is {content.get(key)!r}" for key in keys if known.get(key) != content.get(key)
    ]:
        advice = "give task.corpus.record another file, or remove this one"
        raise CorpusError(f"{record} is the record of another configuration ({'; '.join(other)}): {advice}")
    name = changed[0]
    bytes_of = f"expected {known['files'].get(name)}, got {content['files'].get(name)}"
    raise CorpusError(f"{name} of {content['repository']} has changed: {bytes_of}; remove {record} to take what is there now")
