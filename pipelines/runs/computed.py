"""What the parts of a run's system computed in, from the types that its training measured of each layer."""

from collections.abc import Mapping, Sequence

Layers = Mapping[str, Mapping[str, Sequence[str]]]
"""By layer, the floating types of its ``products`` and of its ``others``, as ``training.json`` has them."""


def parts_of(layers: Layers) -> dict[str, str]:
    """By part, the first name of its ``layers``: ``bfloat16``, or ``bfloat16 products, the rest bfloat16 and float32``."""
    parts: dict[str, dict[str, set[str]]] = {}
    for name, types in layers.items():
        part = parts.setdefault(name.partition(".")[0], {"products": set(), "others": set()})
        for kind, some in types.items():
            part[kind].update(some)
    return {name: _said(sorted(part["products"]), sorted(part["others"])) for name, part in parts.items()}


def _said(products: Sequence[str], others: Sequence[str]) -> str:
    made, rest = " and ".join(products), " and ".join(others)
    return f"{made} products, the rest {rest}" if made and rest and made != rest else made or rest


def computed_in(layers: Layers) -> str:
    """The parts in a line: ``network bfloat16, output bfloat16``; one type alone where all have it; empty without layers."""
    parts = parts_of(layers)
    one = set(parts.values())
    return one.pop() if len(one) == 1 else "; ".join(f"{part} {said}" for part, said in parts.items())
