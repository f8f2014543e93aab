"""Whether a sound file is complete: the bytes that are there against those that its container states."""

import warnings

UNKNOWN_SIZE = 0x7FFF0000
"""A size in 32 bits from here on means that it is unknown, as in a stream."""
CHUNKS = {
    b"RIFF": ("little", 12, 4, b"data"),
    b"RF64": ("little", 12, 4, b"data"),
    b"FORM": ("big", 12, 4, b"SSND"),
    b"caff": ("big", 8, 8, b"data"),
}
"""By the first four bytes of WAV, its large form, AIFF and CAF: byte order, first chunk, bytes of a size, chunk of samples."""
FRAME_COUNTS = (b"Xing", b"Info", b"VBRI")
"""What begins the count of frames in an MP3 file."""


def check_complete(data: bytes) -> None:
    """Check that a sound file has all bytes that it states; `decode` counts the samples of FLAC and MP3 itself.

    A size that a header leaves open, as one written to a stream does, is warned of.

    Raises:
        ValueError: where it is cut short, or an MP3 file without a count of frames.
    """
    if data[:4] == b"OggS":
        if not is_complete_ogg(data):
            raise ValueError("it is cut short: its last page is not whole, or not marked as the last")
        return
    is_mp3 = data[:3] == b"ID3" or (data[:1] == b"\xff" and data[1:2] >= b"\xe0")
    if is_mp3 and not any(mark in data for mark in FRAME_COUNTS):
        raise ValueError("it is an MP3 file that does not say how long it is, so it may be cut short: convert it to FLAC")
    end = end_of_samples(data)
    if end is None:
        warnings.warn("a sound file does not say how long it is; it is taken to be whole", stacklevel=2)
    elif end > len(data):
        raise ValueError(f"it is cut short: it has {len(data)} of the {end} bytes that it should have")


def end_of_samples(data: bytes) -> int | None:
    """Where the samples should end: 0 in a container without such a size, ``None`` where the size is left open."""
    if data[:4] == b".snd":
        begin, size = (int.from_bytes(data[at : at + 4], "big") for at in (4, 8))
        return begin + size if size < UNKNOWN_SIZE else None
    if data[:4] not in CHUNKS:
        return 0
    order, offset, width, samples = CHUNKS[data[:4]]
    large = None
    while offset + 4 + width <= len(data):
        name, begin = data[offset : offset + 4], offset + 4 + width
        size = int.from_bytes(data[offset + 4 : begin], order)  # pyright: ignore[reportArgumentType]
        if name == b"ds64":
            large = int.from_bytes(data[begin + 8 : begin + 16], "little")
        if name == samples:
            size = large if large is not None and size == 0xFFFFFFFF else size
            unknown = UNKNOWN_SIZE <= size <= 0xFFFFFFFF if large is None and width == 4 else size >= 1 << 63
            return None if unknown else begin + size
        offset = begin + size + (size % 2 if width == 4 else 0)
    return 0


def is_complete_ogg(data: bytes) -> bool:
    """Whether all pages of an Ogg file are complete, up to the one marked as the last of its stream (RFC 3533, section 6)."""
    offset, flags = 0, 0
    while data[offset : offset + 4] == b"OggS":
        header = data[offset : offset + 27]
        sizes = data[offset + 27 : offset + 27 + header[26]] if len(header) == 27 else b""
        offset += 27 + len(sizes) + sum(sizes)
        if len(header) < 27 or len(sizes) < header[26] or offset > len(data):
            return False
        flags = header[5]
    return bool(flags & 4)
