"""Folders of exported networks: the graphs or the weights of a finished run, and all that it takes to answer by them.

They are put in place once they are known to answer as the network does.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..checks import check_choice
from ..files import whole_folder, write_json, write_sums, write_text
from ..hub import CARD, plain_card
from ..items.folders import CHECKPOINT, DESCRIPTION, EXPORT, check_alone, read_description
from ..predictors import is_shared, predictor_class
from ..predictors.base import SYSTEMS, load_system
from .formats import GRAPHS
from .graphs import Exportable
from .kinds import KINDS
from .parity import check_parity, first_line
from .weights import write_checked

FORMATS = (*GRAPHS, "safetensors")


def export_run(folder: Path, target: Path, form: str = "onnx", card: str | None = None) -> dict[str, Any]:
    """Write the network of the evaluated run in ``folder`` to the folder ``target``; gives what is told of it there.

    In the form ``safetensors`` it is a model that is shared: ``card`` is its model card ``README.md``; ``None``: a plain one.

    Raises:
        FileNotFoundError: where there is no evaluated run.
        ValueError: for a form that there is not, a target that is there and no export, a run that was tested together with
            others, or a network that no such graph can be made of.
        ParityError: where a graph does not answer as the network does.
    """
    check_choice("format", form, FORMATS)
    predictor_class(folder)  # refuses what is no kind of run
    check_alone(folder)
    description = read_description(folder)
    check_target(target)
    if form == "safetensors" and is_shared(folder):
        raise ValueError(f"{folder} is of safetensors already: copy it, or give format=onnx or torch_export")
    name = description["predictor"]
    kind, system = KINDS[name], SYSTEMS[name]
    model = load_system(system, folder).eval()
    with packages_of(form), whole_folder(target) as partial:
        for file in (DESCRIPTION, *description.get("files", [])):
            shutil.copyfile(folder / file, partial / file)
        entry = {"format": form, "predictor": name}
        if form == "safetensors":
            write_checked(system, model, folder / CHECKPOINT, partial)
        else:
            entry["graphs"] = {name: write_graph(form, name, graph, partial) for name, graph in kind.graphs(model).items()}
        write_json(partial / EXPORT, {**entry, "settings": kind.settings(model)})
        write_sums(partial)
        if form == "safetensors":  # after the hashes: whoever shares the model may edit its card
            write_text(partial / CARD, plain_card(system, model) if card is None else card)
    return entry


@contextmanager
def packages_of(form: str) -> Iterator[None]:
    """Have a package that is missing named by one line."""
    try:
        yield
    except ImportError as error:
        raise ValueError(
            f"format={form} takes packages that are not here: pip install 'rnn-lightning[export]' ({error})"
        ) from None


def check_target(target: Path) -> None:
    """Refuse a ``target`` that is there and is no export, which would be lost."""
    if target.exists() and not (target / EXPORT).exists():
        raise ValueError(f"to={target} is there, and no exported network: give another folder, or remove it")


def write_graph(form: str, name: str, graph: Exportable, folder: Path) -> dict[str, Any]:
    """Write a ``graph`` to a file of ``folder`` in a ``form``, and compare what is there with it; gives what is told of it."""
    file = folder / f"{name}{GRAPHS[form].ending}"
    try:
        GRAPHS[form].write(graph, file)
    except (ImportError, OSError):
        raise
    except Exception as error:  # exporters raise many kinds
        raise ValueError(f"{form} has no form for this network: {first_line(error)}") from None
    inputs, outputs = graph.names()
    gap = check_parity(GRAPHS[form].read(file), graph, name)
    first = {"first_state": [part.tolist() for part in graph.first_state]} if graph.first_state else {}
    of_state = {"state": graph.state_sizes, **first}
    return {"file": file.name, "inputs": inputs, "outputs": outputs, **of_state, "largest_difference": gap}
