"""Graphs of ONNX as functions of arrays, and the folder that they lie in.

Shapes: B rows, T steps.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..checks import check_counts
from ..files import check_sums, read_json
from ..items.folders import AGAIN_EXPORTED, EXPORT

Array = NDArray[Any]


class Session:
    """A graph in a file: arrays to arrays, in the order of its inputs and outputs."""

    def __init__(self, file: Path, threads: int = 1) -> None:
        """Read the graph, to be run by so many ``threads``."""
        check_counts(threads=threads)
        try:
            import onnxruntime
        except ImportError as error:
            raise ValueError(
                f"a graph of ONNX is run by onnxruntime, which is not here: pip install onnxruntime ({error})"
            ) from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        self.inputs = [each.name for each in self.session.get_inputs()]

    def __call__(self, *arrays: Array) -> Any:
        return self.session.run(None, dict(zip(self.inputs, arrays, strict=True)))


class Exported:
    """An exported folder: its ``settings``, and its graphs by name."""

    def __init__(self, folder: str | Path, threads: int = 1) -> None:
        """Read the folder, whose graphs are run by so many ``threads``.

        Raises:
            FileNotFoundError: where there is no exported network.
            ValueError: for one of another format, or a damaged file.
        """
        self.folder, entry = Path(folder), read_export(folder)
        if entry["format"] != "onnx":
            raise ValueError(f"{folder} is exported as {entry['format']}, and what runs here is onnx: export with format=onnx")
        check_sums(self.folder, again=AGAIN_EXPORTED)
        self.settings: dict[str, Any] = entry["settings"]
        self.graphs = {name: Session(self.folder / graph["file"], threads) for name, graph in entry["graphs"].items()}
        self.first_states = {name: first_state(graph) for name, graph in entry["graphs"].items()}

    def start(self, rows: int, name: str = "model") -> list[Array]:
        """The state of a graph before its first step."""
        return [np.repeat(part[np.newaxis], rows, 0) for part in self.first_states[name]]

    def outputs(self, inputs: Array, lengths: Array) -> Array:
        """What the graph of the model makes of ``inputs`` (B, T, ...), read from the start."""
        return self.graphs["model"](inputs, lengths, *self.start(len(inputs)))[0]


def first_state(graph: dict[str, Any]) -> list[Array]:
    """The state of a row that begins, as the record of a ``graph`` has it, or zeros of the sizes that it has."""
    given = graph.get("first_state")
    if given is None:
        return [np.zeros(size, np.float32) for size in graph["state"]]
    return [np.array(part, np.float32) for part in given]


def read_export(folder: str | Path) -> dict[str, Any]:
    """What is told of an exported network in its ``folder``.

    Raises:
        FileNotFoundError: where there is none.
    """
    file = Path(folder) / EXPORT
    if not file.exists():
        raise FileNotFoundError(f"{folder} has no {EXPORT}: give the folder that `rnn export run=FOLDER` has written")
    return read_json(file)


def log_softmax(scores: Array) -> Array:
    """The log-probabilities of ``scores`` (..., V)."""
    shifted = scores - scores.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def softmax(scores: Array) -> Array:
    """The probabilities of ``scores`` (..., V)."""
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)
