"""PNG files taken apart and put together again, with whatever is wrong with them."""

import zlib
from struct import pack, unpack_from

import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"
Chunks = list[tuple[bytes, bytes]]


def split(data: bytes) -> Chunks:
    """Kind and content of each chunk."""
    chunks, start = [], len(SIGNATURE)
    while start < len(data):
        length, kind = unpack_from(">I4s", data, start)
        chunks.append((kind, data[start + 8 : start + 8 + length]))
        start += 12 + length
    return chunks


def join(chunks: Chunks) -> bytes:
    """A PNG file of these chunks, each with the right checksum."""
    parts = [SIGNATURE]
    for kind, content in chunks:
        checksum = pack(">I", zlib.crc32(kind + content))
        parts.append(pack(">I4s", len(content), kind) + content + checksum)
    return b"".join(parts)


def stream(data: bytes) -> bytes:
    """The compressed rows."""
    return b"".join(content for kind, content in split(data) if kind == b"IDAT")


def with_stream(data: bytes, *contents: bytes) -> bytes:
    """The file with these IDAT chunks instead of its own."""
    chunks = [chunk for chunk in split(data) if chunk[0] != b"IDAT"]
    return join([*chunks[:-1], *((b"IDAT", content) for content in contents), chunks[-1]])


def with_chunk(data: bytes, kind: bytes, content: bytes) -> bytes:
    """The file with one chunk more, after IHDR."""
    header, *rest = split(data)
    return join([header, (kind, content), *rest])


def without_rows(data: bytes, rows: int) -> bytes:
    """The file of a picture (H, W) of which so many rows are missing; all checksums are right."""
    (height,) = unpack_from(">I", data, 20)
    raw = zlib.decompress(stream(data))
    return with_stream(data, zlib.compress(raw[: len(raw) // height * (height - rows)]))


def interlaced(values: np.ndarray) -> bytes:
    """An interlaced PNG of grey values (H, W)."""
    height, width = values.shape
    raw = b""
    for column, row, right, down in (
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    ):
        part = values[row::down, column::right]
        if part.size:
            raw += b"".join(b"\0" + line.tobytes() for line in part)
    header = pack(">IIBBBBB", width, height, 8, 0, 0, 0, 1)
    return join([(b"IHDR", header), (b"IDAT", zlib.compress(raw)), (b"IEND", b"")])
