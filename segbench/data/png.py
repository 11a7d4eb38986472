"""PNG files, verified: every checksum is right, the stream is complete, and every row is there.

Pillow does not check the checksum of IDAT chunks or that the stream ends, and fills missing rows
with 0, which is a legal class. It also rejects good pixels because of a large colour profile or a
damaged text chunk. So only the chunks that matter are extracted here and passed to Pillow.
"""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from math import ceil
from struct import pack, unpack_from
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL.PngImagePlugin import PngImageFile

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_PIXELS = 178_956_970
"""Pillow's limit against decompression bombs for other formats."""

Chunk = tuple[bytes, bytes | memoryview]
"""Kind and content."""

GREY, PALETTE = 0, 3
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_RAW_EXIF = b"Raw profile type exif\0"
_ADAM7 = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)
"""First column, first row, and the steps of both, of each pass of an interlaced picture."""


@dataclass(frozen=True)
class Header:
    """The IHDR chunk; ``depth`` is bits per channel, ``color_type`` the PNG standard's code."""

    width: int
    height: int
    depth: int
    color_type: int
    interlaced: bool


def read_header(data: bytes) -> Header:
    """The header of a PNG file's bytes; ValueError if they are not a PNG."""
    if not data.startswith(SIGNATURE) or len(data) < 33 or data[12:16] != b"IHDR":
        raise ValueError("it is not a PNG")
    width, height, depth, color_type, _, _, interlace = unpack_from(">IIBBBBB", data, 16)
    return Header(width, height, depth, color_type, bool(interlace))


def decode(data: bytes) -> PIL.Image.Image:
    """The picture of a PNG file's bytes in its own mode; ValueError says what is wrong with it.

    For an animation it is the default image. EXIF, palette and transparency are kept.
    """
    header = read_header(data)
    picture = _verified(header, data).crop((0, 0, header.width, header.height))
    picture.format = "PNG"
    return picture


def pixels(data: bytes) -> NDArray[Any]:
    """The same as an array (H, W) or (H, W, C), without another copy."""
    header = read_header(data)
    return np.asarray(_verified(header, data))[: header.height]


def _verified(header: Header, data: bytes) -> PIL.Image.Image:
    """The picture, possibly with one extra row at its end."""
    if not (header.width and header.height):
        raise ValueError("its size is 0")
    if header.width * header.height > MAX_PIXELS:
        raise ValueError(
            f"its {header.width * header.height / 1e6:.0f} megapixels are over the limit of "
            f"{MAX_PIXELS / 1e6:.0f}"
        )
    chunks = list(_chunks(data))
    stream = b"".join(content for kind, content in chunks if kind == b"IDAT")
    kept = [chunk for chunk in chunks if _matters(*chunk)]
    picture = None if header.interlaced else _decode_to_the_end(header, kept, stream)
    if picture is None:
        _check_stream(header, stream)
        picture = _load(header, header.height, kept, stream)
    return picture


def _matters(kind: bytes, content: bytes | memoryview) -> bool:
    """Whether a chunk other than IHDR and IDAT affects how the picture looks."""
    if kind in (b"tEXt", b"zTXt"):
        return bytes(content[: len(_RAW_EXIF)]) == _RAW_EXIF
    return kind in (b"PLTE", b"tRNS", b"eXIf")


def _chunks(data: bytes) -> Iterator[Chunk]:
    """Kind and content of each chunk up to IEND."""
    view, start, kind = memoryview(data), len(SIGNATURE), b""
    while kind != b"IEND":
        if start + 8 > len(data):
            raise ValueError("it is cut off: it has no IEND chunk")
        length, kind = unpack_from(">I4s", data, start)
        end = start + 8 + length
        name = kind.decode("latin-1")
        if end + 4 > len(data):
            raise ValueError(f"it is cut off in its chunk {name!r}")
        if zlib.crc32(view[start + 4 : end]) != unpack_from(">I", data, end)[0]:
            raise ValueError(f"the checksum of its chunk {name!r} is wrong")
        yield kind, view[start + 8 : end]
        start = end + 4


def _decode_to_the_end(
    header: Header, kept: Sequence[Chunk], stream: bytes
) -> PIL.Image.Image | None:
    """The picture and an extra row, if one pass shows that its stream is complete.

    The extra row makes Pillow read to the stream's end and its checksum. If the stream ended too
    early, the picture's last row is 0; if too late, the extra row is not.
    """
    try:
        picture = _load(header, header.height + 1, kept, stream)
    except (OSError, SyntaxError, ValueError):
        return None
    end = picture.crop((0, header.height - 1, header.width, header.height + 1))
    last, additional = np.asarray(end)
    return picture if last.any() and not additional.any() else None


def _load(header: Header, height: int, kept: Sequence[Chunk], stream: bytes) -> PIL.Image.Image:
    numbers = (header.width, height, header.depth, header.color_type, 0, 0, header.interlaced)
    start: Chunk = (b"IHDR", pack(">IIBBBBB", *numbers))
    file = BytesIO()
    file.write(SIGNATURE)
    for kind, content in (start, *kept, (b"IDAT", stream), (b"IEND", b"")):
        file.write(pack(">I4s", len(content), kind))
        file.write(content)
        file.write(pack(">I", zlib.crc32(content, zlib.crc32(kind))))
    file.seek(0)
    picture = PngImageFile(file)
    picture.decodermaxblock = len(stream)
    picture.load()
    return picture


def _check_stream(header: Header, stream: bytes) -> None:
    """Decompress ``stream`` and count its bytes."""
    expected = _stream_length(header)
    inflater = zlib.decompressobj()
    try:
        length = len(inflater.decompress(stream, expected))
        excess = inflater.decompress(inflater.unconsumed_tail, 1)
    except zlib.error as error:
        raise ValueError(f"its compressed pixels are damaged: {error}") from error
    if length < expected:
        raise ValueError(
            f"it has {length} of {expected} bytes of pixels: about "
            f"{header.height * length // expected} of {header.height} rows"
        )
    if excess:
        raise ValueError(f"it has more pixels than its {header.height} rows")
    if not inflater.eof:
        raise ValueError("its compressed pixels end without their checksum")


def _stream_length(header: Header) -> int:
    """Bytes of the decompressed rows, each with its filter byte."""
    if header.color_type not in _CHANNELS:
        raise ValueError(f"its colour type {header.color_type} does not exist")
    bits = header.depth * _CHANNELS[header.color_type]

    def rows(width: int, height: int) -> int:
        return height * (1 + ceil(width * bits / 8)) if width else 0

    if not header.interlaced:
        return rows(header.width, header.height)
    return sum(
        rows(ceil((header.width - x) / dx), ceil((header.height - y) / dy))
        for x, y, dx, dy in _ADAM7
        if x < header.width and y < header.height
    )
