"""Models on the Hugging Face Hub: folders of data downloaded and uploaded through `huggingface_hub`, and never code."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from .checks import shown

if TYPE_CHECKING:
    from torch.nn import Module

PREFIX = "hub:"
"""What a place on the Hub begins with where a folder may stand too: ``hub:OWNER/NAME@REVISION``."""
REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
SHARED = ("*.json", "*.safetensors", "README.md", "SHA256SUMS")
"""Files of a shared model: weights, settings, vocabularies and the model card. Checkpoints and code stay where they are."""
CARD = "README.md"
NO_NETWORK = "check the network, a proxy and HF_ENDPOINT, and try again"
LOG_IN = "log in by `hf auth login`, or set HF_TOKEN to a token that may write there"


def local_folder(place: str | os.PathLike[str]) -> Path:
    """The folder that ``place`` names; of ``hub:OWNER/NAME@REVISION`` a download, or what the cache has of it.

    Raises:
        ValueError: where the Hub has no such model, or cannot be reached and the cache lacks it.
    """
    text = os.fspath(place)
    if not text.startswith(PREFIX):
        return Path(place)
    repository, _, revision = text.removeprefix(PREFIX).partition("@")
    return download(repository, revision or None)


def pretrained_folder(place: str | os.PathLike[str], revision: str | None = None) -> Path:
    """As `local_folder`, of a folder, or of ``OWNER/NAME`` with or without ``hub:`` where there is no such folder.

    Raises:
        FileNotFoundError: for what is neither.
        ValueError: for the ``revision`` of a local folder; as `local_folder`.
    """
    text = os.fspath(place)
    if Path(text).is_dir():
        if revision is not None:
            raise ValueError(
                f"{text} is a folder here, which has no revision {shown(revision)}: leave it out, or give hub:{text}"
            )
        return Path(text)
    if text.startswith(PREFIX) and revision is None:
        return local_folder(text)
    repository = text.removeprefix(PREFIX)
    if not REPOSITORY.fullmatch(repository):
        raise FileNotFoundError(f"{text} is no folder, and no OWNER/NAME of a model on the Hub")
    return download(repository, revision)


def download(repository: str, revision: str | None = None) -> Path:
    """The files `SHARED` of a model ``OWNER/NAME`` at a branch, tag or commit, in the cache of the Hub's client.

    Raises:
        ValueError: as `local_folder`.
    """
    check_repository(repository)
    name = repository if revision is None else f"{repository} at {revision}"
    with errors_named(name):
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(repository, revision=revision, allow_patterns=list(SHARED)))


def upload(folder: Path, repository: str, *, private: bool | None = None, revision: str | None = None) -> str:
    """Upload the files `SHARED` of ``folder`` to the model ``OWNER/NAME``, made where it is not there; gives the address of
    the commit.

    Args:
        private: whether others see a new repository; one that is there must be as asked. ``None``: as it is, or as the
            account has it.
        revision: a branch, made where it is not there; ``None``: the main one.

    Raises:
        ValueError: where the Hub refuses, cannot be reached, or has the repository with another visibility.
    """
    check_repository(repository)
    with errors_named(repository):
        from huggingface_hub import HfApi

        api = HfApi()
        api.create_repo(repository, private=private, exist_ok=True)
        if private is not None and (there := bool(api.model_info(repository).private)) != private:
            kinds = {True: "private", False: "public"}
            raise ValueError(
                f"it is {kinds[there]} there, not {kinds[private]}: change that in its settings, or leave private out"
            )
        if revision is not None:
            api.create_branch(repository, branch=revision, exist_ok=True)
        message = f"Upload of {folder.name}"
        commit = api.upload_folder(
            repo_id=repository, folder_path=folder, revision=revision, commit_message=message, allow_patterns=list(SHARED)
        )
    return str(commit.commit_url)


def plain_card(kind: type, model: "Module") -> str:
    """The model card of a ``model`` of class ``kind`` of which nothing more is known: what it is, and how it is loaded."""
    module = kind.__module__.partition(".")[0] if kind.__module__.startswith(f"{__package__}.") else kind.__module__
    parameters = sum(weight.numel() for weight in model.parameters())
    header = "---\nlibrary_name: rnn-lightning\ntags:\n- pytorch\n- rnn\n---\n"
    load = f'from {module} import {kind.__name__}\n\nmodel = {kind.__name__}.from_pretrained("OWNER/NAME")'
    return (
        f"{header}\n# {kind.__name__}\n\nA `{module}.{kind.__name__}` of {parameters:,} parameters.\n\n```python\n{load}\n```\n"
    )


def check_repository(repository: str) -> None:
    """Refuse what is no ``OWNER/NAME``."""
    if not REPOSITORY.fullmatch(repository):
        raise ValueError(f"a model on the Hub is named OWNER/NAME, and after hub: OWNER/NAME@REVISION, not {shown(repository)}")


@contextmanager
def errors_named(name: str) -> Iterator[None]:
    """What the Hub's client raises in the block, as one line on the model ``name``."""
    try:
        from huggingface_hub.errors import (
            HfHubHTTPError,
            HFValidationError,
            LocalEntryNotFoundError,
            OfflineModeIsEnabled,
            RepositoryNotFoundError,
            RevisionNotFoundError,
        )
    except ImportError:
        raise ValueError(f"{name} takes huggingface_hub, which is not here: pip install 'rnn-lightning[hub]'") from None
    transport = cast(type[Exception], HfHubHTTPError.__mro__[1])  # the base class of the HTTP library, which differs by version
    try:
        yield
    except RevisionNotFoundError:
        raise ValueError(f"{name}: there is no such revision; give a branch, a tag or a commit of that model") from None
    except RepositoryNotFoundError:
        raise ValueError(f"{name}: the Hub has no such model, or none that your HF_TOKEN opens; give OWNER/NAME") from None
    except LocalEntryNotFoundError:
        raise ValueError(f"{name}: the Hub cannot be reached, and the cache has no such model: {NO_NETWORK}") from None
    except OfflineModeIsEnabled:
        raise ValueError(f"{name}: HF_HUB_OFFLINE is set, so that the Hub is not asked: unset it, and try again") from None
    except HfHubHTTPError as error:  # it has answered
        denied = getattr(error.response, "status_code", None) in (401, 403)
        raise ValueError(f"{name}: {_first_line(error)}{f'; {LOG_IN}' if denied else ''}") from None
    except (transport, ConnectionError, TimeoutError) as error:
        raise ValueError(f"{name}: the Hub cannot be reached ({_first_line(error)}): {NO_NETWORK}") from None
    except (HFValidationError, ValueError, OSError) as error:
        raise ValueError(f"{name}: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    """What ``error`` says first, or else what it is."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
