"""The forms of an exported network: how its graphs are written to files, and how these are run."""

import contextlib
import inspect
import io
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor

from .graphs import Exportable

Run: TypeAlias = Callable[..., tuple[Tensor, ...]]
"""A graph that has been read from its file: tensors to tensors."""


class Format(NamedTuple):
    """The ending of a graph's file, how it is written, and how it is read."""

    ending: str
    write: Callable[[Exportable, Path], None]
    read: Callable[[Path], Run]


@contextmanager
def quietly() -> Iterator[None]:
    """Without what exporters print, log and warn of, without gradients, and without what earlier ones have left."""
    torch.compiler.reset()  # what is kept of earlier traces would make sizes of this one constants
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


def write_onnx(graph: Exportable, file: Path) -> None:
    """Write a graph for ONNX."""
    inputs, outputs = graph.names()
    with quietly():
        program = torch.onnx.export(
            graph,
            graph.example(),
            dynamo=True,
            input_names=inputs,
            output_names=outputs,
            dynamic_shapes=shapes_of(graph),
            verbose=False,
        )
        assert program is not None
        program.save(str(file), external_data=False)


def read_onnx(file: Path) -> Run:
    """The graph in a file of ONNX, run by onnxruntime."""
    from ..runtime.session import Session

    session = Session(file)

    def run(*tensors: Tensor) -> tuple[Tensor, ...]:
        return tuple(map(torch.from_numpy, session(*(tensor.numpy() for tensor in tensors))))

    return run


def write_program(graph: Exportable, file: Path) -> None:
    """Write a graph as `torch.export` does."""
    with quietly(), torch.fx.experimental._config.patch(backed_size_oblivious=True):  # type: ignore[attr-defined]
        program = torch.export.export(graph, graph.example(), dynamic_shapes=shapes_of(graph), strict=False)
        torch.export.save(program, file)


def read_program(file: Path) -> Run:
    """The graph in a file of `torch.export`."""
    return torch.export.load(file).module()


def shapes_of(graph: Exportable) -> dict[str, Any]:
    """The axes of any size of what ``graph`` takes, as `torch.export` is given them."""
    rows = torch.export.Dim("rows", min=1)  # one number for all tensors; each other axis finds out what it may be
    axes = [
        {axis: rows if name == "rows" else torch.export.Dim.DYNAMIC for axis, name in each.items()} for each in graph.axes()
    ]
    named = [name for name, each in inspect.signature(graph.forward).parameters.items() if each.kind is not each.VAR_POSITIONAL]
    rest = axes[len(named) :]
    return dict(zip(named, axes, strict=False)) | ({"parts": tuple(rest)} if rest else {})


GRAPHS: dict[str, Format] = {
    "onnx": Format(".onnx", write_onnx, read_onnx),
    "torch_export": Format(".pt2", write_program, read_program),
}
"""The forms in which graphs are written."""
