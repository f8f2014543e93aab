"""Layers and cells of a user's own package by the path of their class, ``cell: my_package.MyNetwork``."""

from functools import cache
from typing import ClassVar

from ..checks import check_names, check_text
from ..registry import own_class
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
    """The architecture of the class at ``path``.

    Raises:
        ValueError: for a package that `OWN_NETWORKS` does not name, what is no class of `Recurrent` or `Cell`, or a cell that
            is not complete.
    """
    called = "rnn_lightning.Recurrent, with start and read, or of rnn_lightning.recurrent.Cell, with start, project and step"
    found = own_class("cell", path, OWN_NETWORKS, (Recurrent, Architecture), called)
    if not issubclass(found, Architecture):
        return _made_of(found, path)
    check_complete(path, found)
    return found


def check_complete(name: str, cell: type[Architecture]) -> None:
    """Refuse a ``cell``, called ``name``, that lacks a method, its gates or its label, or has others than names there."""
    unsaid = [name for name in ("gates", "label") if getattr(cell, name, None) is None]
    if lacking := [*sorted(getattr(cell, "__abstractmethods__", ())), *unsaid]:
        raise ValueError(f"cell {name!r} lacks {', '.join(lacking)}")
    check_text(f"cell {name!r}: label", cell.label)
    check_names(f"cell {name!r}: gates", cell.gates)


@cache
def _made_of(network: type[Recurrent], path: str) -> type[Architecture]:
    name = network.__name__
    return type(name, (OwnArchitecture,), {"network": network, "label": name, "path": path})
