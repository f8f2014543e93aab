"""Pictures read as sequences, row by row or column by column: of a class, or of a line of text.

MNIST (LeCun et al., "Gradient-Based Learning Applied to Document Recognition", 1998), read by rows as in Le et al. 2015,
arXiv:1504.00941; lines of handwriting by columns as in Graves and Schmidhuber 2009.
"""

import io
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .card import CardFields
from .class_names import named, read_classes
from .corpus import Signal
from .examples import (
    Examples,
    HeldOut,
    check_widths,
    features_of,
    of_features,
    read_examples,
    read_splits,
    write_classes,
    write_transcripts,
)
from .files import verified_source
from .hub import FromHub
from .text import read_columns, read_table

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

ORDERS = ("rows", "columns")


class Images(FromHub):
    """A pairs corpus of the column ``image``, PNG or JPEG, with the class ``label`` or, for CTC, the ``text`` beside it.

    A picture is grey, 0 for black and 1 for white (with ``invert`` the other way round), and read in ``order``: a step is a
    row from top to bottom or a column from left to right. With ``height`` it is scaled to that first, its aspect kept, so
    that pictures of any size have columns of one length. ``held_out`` (``share``, ``seed``) makes a validation split of part
    of the training split where the data set has none. A damaged picture is named and left out, up to the share
    ``most_left_out`` of its split. The rest are those of `HubSource`.
    """

    def __init__(
        self,
        *,
        image: str,
        label: str | None = None,
        text: str | None = None,
        order: str = "rows",
        height: int | None = None,
        invert: bool = False,
        held_out: Mapping[str, Any] | None = None,
        most_left_out: float = 0.001,
        **hub: Any,
    ) -> None:
        super().__init__(**hub)
        if (label is None) == (text is None):
            raise ValueError(f"either label or text must name a column, not {label!r} and {text!r}")
        if order not in ORDERS:
            raise ValueError(f"order must be one of {list(ORDERS)}, not {order!r}")
        if height is not None and height < 1:
            raise ValueError(f"height must be at least 1, or None, not {height}")
        self.image, self.label, self.text, self.order, self.height, self.invert = image, label, text, order, height, invert
        self.held_out = None if held_out is None else HeldOut(**held_out)
        self.most_left_out = most_left_out

    def preprocess(self, raw: Path, processed: Path) -> None:
        source = verified_source(raw, self.hub.asked())
        splits = read_splits(raw, self.read, self.held_out, by_class=self.label is not None)
        check_widths(splits.examples, "give height, and order columns")
        more = {**of_features(splits.examples["train"].inputs, alike=True), **splits.card}
        title = f"{self.hub.repository} ({self.hub.config}), {self.label or self.text} by {self.order}"
        facts = CardFields(title, source, more=more)
        if self.label is None:
            write_transcripts(processed, splits.examples, facts)
        else:
            write_classes(processed, splits.examples, splits.classes, facts)

    def read(self, path: Path) -> tuple[Examples, list[str], list[str]]:
        """The examples of a Parquet file, the places of those left out, and the names of their classes, if they have any."""
        table = read_table(path, [f"{self.image}.bytes", *([self.label] if self.label else [])])
        answers, names = read_classes(table, self.label, path) if self.label else (read_columns(path, [self.text or ""])[0], [])
        pictures = table[f"{self.image}.bytes"]
        rows = ((f"row {row} of {path}", partial(self.example, pictures[row], answer)) for row, answer in enumerate(answers))
        examples, refused = read_examples(rows, most_left_out=self.most_left_out)
        return examples, refused, names

    def example(self, picture: Any, answer: str | None) -> tuple[NDArray[np.float32], str]:
        """The steps (T, F) of a picture, a ``pyarrow`` scalar of bytes, and its answer.

        Raises:
            ValueError: where it is no picture, or has no answer.
        """
        signal = picture_of(picture.as_py(), order=self.order, height=self.height, invert=self.invert)
        told = named(answer) if self.label else (answer or "")
        if not told:
            raise ValueError("it has no text")
        return signal.features, told

    def inputs(self) -> dict[str, Any]:
        return {"name": "picture", "order": self.order, "height": self.height, "invert": self.invert}


def picture_of(data: bytes | None, *, order: str = "rows", height: int | None = None, invert: bool = False) -> Signal:
    """The steps (T, F) of a picture in the bytes of a file, read as `Images` reads it.

    Raises:
        ValueError: as ``decoded``.
    """
    points = decoded(data, height)
    if invert:
        points = 1 - points
    return Signal(features_of(points if order == "rows" else np.ascontiguousarray(points.T)))


def decoded(picture: bytes | None, height: int | None) -> NDArray[np.float32]:
    """The points of a picture (H, W), 0 for black to 1 for white, scaled to ``height`` where that is given.

    Raises:
        ValueError: where the bytes are no picture, or a damaged one, or its points are numbers of no known range.
    """
    from PIL import Image, UnidentifiedImageError

    if not picture:
        raise ValueError("it has no picture")
    try:
        with Image.open(io.BytesIO(picture)) as opened:
            grey = grey_of(opened)
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"its picture is damaged: {' '.join(str(error).split())[:100]}") from error
    if height is not None and grey.height != height:
        grey = grey.resize((max(1, round(grey.width * height / grey.height)), height), Image.Resampling.BOX)
    return np.asarray(grey, np.float32) / np.float32(255)


def grey_of(picture: "Picture") -> "Picture":
    """The picture in 256 shades of grey; what is transparent lies on white.

    Raises:
        ValueError: where a point is a number of more than 16 bits, or a fraction, whose black and white nobody has said.
    """
    from PIL import Image

    if picture.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    if picture.mode in ("I", "F"):
        raise ValueError(f"its points are numbers of mode {picture.mode!r}; pictures have at most 16 bits a point")
    if picture.has_transparency_data:
        seen = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen)
    return picture.convert("L")
