"""Layers of a user's own package by the path of their class, ``cell: my_package.MyNetwork``."""

import importlib
import os
from functools import cache
from typing import ClassVar

from .architecture import Architecture, Layout
from .contract import Recurrent
from .given import check_given
from .wrappers import Bidirectional

OWN_NETWORKS = "RNN_LIGHTNING_NETWORKS"
"""The environment variable of the packages, separated by commas, that a cell may come from."""


class OwnArchitecture(Architecture):
    """A layer of a user's class ``network``, a `Recurrent` that is made by ``network(input_size, hidden_size)``, and draws its
    own weights. Stacks, both directions, residual connections and dropout between layers are made of it as of any cell."""

    backend = "own"
    gates = ("hidden",)
    network: ClassVar[type[Recurrent]]
    path: ClassVar[str]

    @classmethod
    def layer(cls, input_size: int, layout: Layout) -> Recurrent:
        if layout.init != "orthogonal":
            raise ValueError(f"init must be left out: {cls.path} draws its own weights")
        made = [cls._made(input_size, layout.hidden_size) for _ in range(2 if layout.bidirectional else 1)]
        return Bidirectional(*made) if layout.bidirectional else made[0]

    @classmethod
    def _made(cls, input_size: int, hidden_size: int) -> Recurrent:
        try:
            made = cls.network(input_size, hidden_size)  # pyright: ignore[reportCallIssue]
        except TypeError as error:
            raise ValueError(f"cell {cls.path} is made by its class with (input_size, hidden_size): {error}") from error
        check_given(f"cell {cls.path}", made)
        sizes = made.input_size, made.output_size
        if sizes != (input_size, hidden_size):
            raise ValueError(f"cell {cls.path} must read {input_size} features and make {hidden_size}, not {sizes}")
        return made


def own_architecture(path: str) -> type[Architecture]:
    """The architecture of the class at ``path``. What a checkpoint or a task file says cannot allow it: an import runs code.

    Raises:
        ValueError: for a package that `OWN_NETWORKS` does not name, or what is no class of `Recurrent`.
    """
    package = path.partition(".")[0]
    if package not in os.environ.get(OWN_NETWORKS, "").split(","):
        raise ValueError(
            f"cell {path!r} is of the package {package}, which may not be imported: {OWN_NETWORKS}={package} in the "
            "environment allows it"
        )
    return _imported(path)


@cache
def _imported(path: str) -> type[Architecture]:
    module, _, name = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"cell {path!r} cannot be imported: {error}") from None
    if not isinstance(found, type) or not issubclass(found, Recurrent):
        raise ValueError(f"cell {path!r} must be a class of rnn_lightning.Recurrent, with start and read")
    return type(name, (OwnArchitecture,), {"network": found, "label": name, "path": path})
