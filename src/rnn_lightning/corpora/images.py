"""Images as sequences, row by row or column by column: with a class, or a line of text.

MNIST (LeCun et al., "Gradient-Based Learning Applied to Document Recognition", 1998), read by rows as in Le et al. 2015,
arXiv:1504.00941; lines of handwriting by columns as in Graves and Schmidhuber 2009.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .card import CardFields
from .class_names import Classes, require_class
from .corpus import RawSplit, Signal
from .examples import feature_card, features_of, read_splits, write_classes, write_transcripts
from .parquet import FEW, Tables, TextColumns
from .reading import Examples, Raw, check_widths, read_examples
from .reads import Column, given
from .source import FromSource

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

ORDERS = ("rows", "columns")
ADVICE = "give height, and order columns"


@dataclass(kw_only=True, eq=False)
class Images(FromSource):
    """A pairs corpus of the column ``image``, PNG or JPEG, with the class ``label`` or, for CTC, the ``text`` beside it.

    A picture is greyscale, 0 for black and 1 for white (with ``invert`` the other way round), and read in ``order``: a step is
    a row from top to bottom or a column from left to right. With ``height`` it is scaled to that first, its aspect kept, so
    that pictures of any size have columns of one length. A damaged picture is named and left out, up to the share
    ``most_left_out`` of its split. The other fields are those of `FromSource`.
    """

    item_settings: ClassVar[tuple[str, ...]] = ("order", "height", "invert")

    image: str
    label: str | None = None
    text: str | None = None
    order: str = "rows"
    height: int | None = None
    invert: bool = False
    most_left_out: float = 0.001

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.label is None) == (self.text is None):
            raise ValueError(f"either label or text must name a column, not {self.label!r} and {self.text!r}")
        if self.order not in ORDERS:
            raise ValueError(f"order must be one of {list(ORDERS)}, not {self.order!r}")
        if self.height is not None and self.height < 1:
            raise ValueError(f"height must be at least 1, or None, not {self.height}")

    def columns(self) -> list[Column]:
        answer = [*given("label", self.label, "class"), *given("text", self.text, "text")]
        return [Column("image", self.image, "media"), *answer]

    def preprocess(self, raw: Path, processed: Path) -> None:
        source = self.verified(raw)
        splits = read_splits(raw, partial(self.read, folder=processed.parent))
        check_widths((some.inputs.values.shape[1:] for some in splits.examples.values()), ADVICE)
        more = {**feature_card(splits.examples["train"].inputs.values, alike=True), **splits.card}
        title = f"{self.origin.title}, {self.label or self.text} by {self.order}"
        fields = CardFields(title, source, more=more)
        if self.label is None:
            write_transcripts(processed, splits.examples, fields)
        else:
            write_classes(processed, splits.examples, splits.classes, fields)

    def raw_split(self, path: Path) -> RawSplit:
        if self.label is None:
            return RawSplit("transcripts", self.read(path)[0])
        return RawSplit("classes", lambda tokenizer: self.read(path)[0])

    def read(self, path: Path, folder: Path | None = None) -> tuple[Examples, list[str], list[str]]:
        """The examples of a Parquet file, in files of ``folder``, the places of rows left out, and the class names, if there
        are classes."""
        pictures = Tables(path, [f"{self.image}.bytes"], rows=FEW).placed(f"{self.image}.bytes")
        classes = None if self.label is None else self.classes_of(path)
        answers = TextColumns(path, [self.text or ""]) if classes is None else self.names_of(path, classes)
        rows = (Raw(at, (picture, answer)) for (at, (picture,)), (answer,) in zip(pictures, answers, strict=True))
        most, workers, place = self.most_left_out, self.workers, {"folder": folder, "at_once": FEW, "advice": ADVICE}
        examples, left_out = read_examples(rows, self.read_row, most_left_out=most, workers=workers, **place)
        return examples, left_out, [] if classes is None else classes.names

    def names_of(self, path: Path, classes: Classes) -> Iterator[tuple[str | None]]:
        """The class of each row of a Parquet file."""
        values = Tables(path, [self.label or ""]).lists(self.label or "")
        return ((classes.name(value),) for (value,) in values)

    def read_row(self, picture: bytes | None, answer: str | None) -> tuple[NDArray[np.float32], str]:
        """The steps (T, F) of a picture, and its class or text.

        Raises:
            ValueError: where it is no picture, or has neither.
        """
        signal = picture_of(picture, order=self.order, height=self.height, invert=self.invert)
        checked = require_class(answer) if self.label else (answer or "")
        if not checked:
            raise ValueError("it has no text")
        return signal.features, checked

    def inputs(self) -> dict[str, Any]:
        return {"name": "picture", "order": self.order, "height": self.height, "invert": self.invert}


def picture_of(data: bytes | None, *, order: str = "rows", height: int | None = None, invert: bool = False) -> Signal:
    """The steps (T, F) of a picture in the bytes of a file, read as `Images` reads it.

    Raises:
        ValueError: as ``decode_image``.
    """
    pixels = decode_image(data, height)
    if invert:
        pixels = 1 - pixels
    return Signal(features_of(pixels if order == "rows" else np.ascontiguousarray(pixels.T)))


def decode_image(picture: bytes | None, height: int | None) -> NDArray[np.float32]:
    """The pixels of a picture (H, W), 0 for black to 1 for white, scaled to ``height`` if it is given.

    It stands as its EXIF orientation says, which cameras write instead of turning it.

    Raises:
        ValueError: where the bytes are no picture or a damaged one, or the range of its pixels is unknown.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    if not picture:
        raise ValueError("it has no picture")
    try:
        with Image.open(io.BytesIO(picture)) as opened:
            grey = to_greyscale(ImageOps.exif_transpose(opened))
    except UnidentifiedImageError:
        raise ValueError("its picture is damaged: it is of no format that is known") from None
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"its picture is damaged: {' '.join(str(error).split())[:100]}") from error
    if height is not None and grey.height != height:
        grey = grey.resize((max(1, round(grey.width * height / grey.height)), height), Image.Resampling.BOX)
    return np.asarray(grey, np.float32) / np.float32(255)


def to_greyscale(picture: "Picture") -> "Picture":
    """The picture in 8-bit greyscale; transparency is blended with white.

    Raises:
        ValueError: where pixels are of more than 16 bits or floats, whose black and white are undefined.
    """
    from PIL import Image

    if picture.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    if picture.mode in ("I", "F"):
        raise ValueError(f"its points are numbers of mode {picture.mode!r}; pictures have at most 16 bits a point")
    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return picture.convert("L")
