"""Download of data sets from the Hugging Face Hub to Parquet files: with retries, pinned to a commit, and recorded.

The client retries some requests by itself, but fails on a single 503 on a file or a lost connection; so the whole download is
retried here. Files in the client's cache (``HF_HOME``) are not downloaded again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..files import read_text, sha256, whole_folder, write_json
from .corpus import Corpus, CorpusError, RawSplit
from .files import SOURCE, read_json, verified_source
from .retries import log, with_retries

FOUND = ("commit", "licence", "rows", "files")
"""What a record says of the data that were found; all else is the configuration that asked for them."""


@dataclass(frozen=True)
class HubSource:
    """A data set on the Hub, and how to download it.

    ``revision`` is a branch, a tag or a commit. ``splits`` maps the splits to those of the data set, ``{"train":
    "train_clean_100", ...}``; without it all are taken by their own names. ``rows`` are the numbers of rows that splits must
    have. ``record`` is a small JSON file that the first fetch writes and every later one must agree with. A download is tried
    ``tries`` times, with pauses of ``wait``, 2 ``wait``, 4 ``wait``, ... seconds (exponential backoff).
    """

    repository: str
    config: str
    revision: str
    record: Path
    rows: Mapping[str, int] | None = None
    splits: Mapping[str, str] | None = None
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
        return {"repository": self.repository, "config": self.config, "revision": self.revision, "splits": splits}


@dataclass(kw_only=True, eq=False)
class FromHub(Corpus):
    """A corpus of a data set on the Hub; the fields are those of `HubSource`."""

    repository: str
    config: str
    revision: str
    record: str | Path
    rows: Mapping[str, int] | None = None
    splits: Mapping[str, str] | None = None

    @property
    def hub(self) -> HubSource:
        """The data set that this corpus is made of."""
        return HubSource(self.repository, self.config, self.revision, Path(self.record), self.rows, self.splits)

    def fetch(self, raw: Path) -> None:
        fetch_from_hub(self.hub, raw)

    def test_split(self, raw: Path) -> RawSplit:
        verified_source(raw, self.hub.spec())
        return self.raw_split(raw / "test.parquet")

    def raw_split(self, path: Path) -> RawSplit:
        """The rows of a Parquet file."""
        return super().test_split(path)


@dataclass(frozen=True)
class _Download:
    """A downloaded data set: its ``splits`` are ``datasets.Dataset`` by name, ``commit`` is that of the revision."""

    commit: str
    licence: str | list[str] | None
    splits: Mapping[str, Any]


def fetch_from_hub(source: HubSource, raw: Path) -> None:
    """Write ``SPLIT.parquet`` for each split of ``source``, and ``source.json``, to the folder ``raw``, atomically.

    Raises:
        CorpusError: where the Hub cannot be reached, has no such data set, or other bytes than on record.
    """
    download = with_retries(lambda answered: _download(source, answered), source)
    _check_rows(source, download.splits)
    with whole_folder(raw, sums=True) as folder:
        files = {}
        for name, split in download.splits.items():
            split.to_parquet(folder / f"{name}.parquet")
            files[f"{name}.parquet"] = sha256(folder / f"{name}.parquet")
        content = {
            **{name: value for name, value in source.spec().items() if value is not None},
            "commit": download.commit,
            "licence": download.licence,
            "rows": {name: len(split) for name, split in download.splits.items()},
            "files": files,
        }
        write_json(folder / SOURCE, content)
        _check_record(source.record, content)
    log(f"{source}: {sum(content['rows'].values())} rows in {raw}")


def _download(source: HubSource, answered: bool | None) -> _Download:
    """Download from the Hub, or load from the cache where it cannot be reached.

    ``answered``: whether the Hub did so at the last try; ``None`` at the first.
    """
    from datasets import load_dataset_builder
    from huggingface_hub import DatasetCard, HfApi, hf_hub_download, try_to_load_from_cache

    repository, revision, card = source.repository, source.revision, "README.md"
    cached = isinstance(try_to_load_from_cache(repository, card, repo_type="dataset", revision=revision), str)
    if answered is False or (answered is None and not cached):
        HfApi().dataset_info(repository, revision=revision)  # fails at once, where a download would wait half a minute
    # The cache names a snapshot's folder after the commit, so this resolves a revision with and without a network.
    readme = Path(hf_hub_download(repository, card, repo_type="dataset", revision=revision))
    commit = readme.parent.name
    log(f"{source}: commit {commit}")
    builder = load_dataset_builder(repository, name=source.config, revision=commit)
    if builder.hash != commit:  # without a network the client loads any commit in its cache
        raise ConnectionError(f"the cache has commit {builder.hash}, not {commit}")
    if source.splits is not None:  # other splits, which may be a thousand times larger, are not downloaded
        builder = load_dataset_builder(repository, name=source.config, revision=commit, data_files=_files(source, builder))
    builder.download_and_prepare()
    licence = DatasetCard(read_text(readme), ignore_metadata_errors=True).data.get("license")
    splits: Any = builder.as_dataset()
    return _Download(commit, licence, dict(sorted(splits.items())))


def _files(source: HubSource, builder: Any) -> dict[str, list[str]]:
    """The data files of the splits that ``source`` selects, by split.

    Raises:
        ValueError: where there is no such split.
    """
    known = builder.config.data_files
    if unknown := sorted(set((source.splits or {}).values()) - set(known)):
        raise ValueError(f"no split {unknown[0]!r}; it has {sorted(known)}")
    return {split: list(known[name]) for split, name in (source.splits or {}).items()}


def _check_rows(source: HubSource, splits: Mapping[str, Any]) -> None:
    """Check that no split is missing, empty or of another size than the source says."""
    for name, expected in (source.rows or {}).items():
        if name not in splits:
            raise CorpusError(f"{source}: no split {name!r}; it has {sorted(splits)}")
        if len(splits[name]) != expected:
            raise CorpusError(f"{source}: split {name!r} has {len(splits[name])} rows, expected {expected}")
    for name, split in splits.items():
        if not len(split):
            raise CorpusError(f"{source}: split {name!r} is empty")


def _check_record(record: Path, content: Mapping[str, Any]) -> None:
    """Compare the hashes with those on record; write the record if this is the first fetch.

    Raises:
        CorpusError: where they differ; where the record is of another configuration, naming what differs.
    """
    if not record.exists():
        write_json(record, content)
        return
    known = read_json(record)
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
