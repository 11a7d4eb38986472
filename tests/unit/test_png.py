"""A PNG is read as Pillow reads it, or refused: nothing that is missing becomes class 0."""

import zlib
from collections.abc import Callable
from io import BytesIO
from itertools import pairwise
from struct import pack

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segbench.data import png
from tests.pngs import interlaced, join, split, stream, with_chunk, with_stream, without_rows

LABELS = np.random.default_rng(0).integers(1, 34, (24, 40)).astype(np.uint8)


def encoded(picture: PIL.Image.Image | np.ndarray, **options: object) -> bytes:
    if isinstance(picture, np.ndarray):
        picture = PIL.Image.fromarray(picture)
    file = BytesIO()
    picture.save(file, "PNG", **options)
    return file.getvalue()


WHOLE = encoded(LABELS)


@given(
    width=st.integers(1, 40),
    height=st.integers(1, 40),
    mode=st.sampled_from(["1", "L", "LA", "P", "RGB", "RGBA", "I;16"]),
    largest=st.sampled_from([1, 2, 256]),
    seed=st.integers(0, 99),
)
def test_pixels_are_those_of_pillow(
    width: int, height: int, mode: str, largest: int, seed: int
) -> None:
    """Also where the last row, or all, is 0."""
    rng = np.random.default_rng(seed)
    grey = PIL.Image.fromarray(rng.integers(0, largest, (height, width)).astype(np.uint8))
    data = encoded(grey.convert("I;16" if mode == "I;16" else mode))
    expected = PIL.Image.open(BytesIO(data))
    read = png.decode(data)
    assert (read.mode, read.size, read.format) == (expected.mode, expected.size, "PNG")
    assert np.array_equal(np.asarray(read), np.asarray(expected))
    assert np.array_equal(png.pixels(data), np.asarray(expected))
    assert read.getpalette() == expected.getpalette()


def test_the_stream_may_lie_in_any_number_of_chunks() -> None:
    whole = stream(WHOLE)
    for cuts in ([1], [0, 0, 7, 7], [len(whole) - 4], list(range(len(whole)))):
        edges = [0, *cuts, len(whole)]
        parts = [whole[a:b] for a, b in pairwise(edges)]
        assert np.array_equal(png.pixels(with_stream(WHOLE, *parts)), LABELS)


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (8, 8), (17, 9), (24, 40)])
def test_interlaced_pictures(shape: tuple[int, int]) -> None:
    values = LABELS[: shape[0], : shape[1]]
    data = interlaced(values)
    assert np.array_equal(png.pixels(data), values)
    short = zlib.compress(zlib.decompress(stream(data))[:-1])
    with pytest.raises(ValueError, match="bytes of pixels"):
        png.pixels(with_stream(data, short))


def spoil_checksum(data: bytes) -> bytes:
    end = data.index(b"IEND") - 4
    return data[: end - 1] + bytes([data[end - 1] ^ 1]) + data[end:]


def spoil_adler(data: bytes) -> bytes:
    whole = stream(data)
    return with_stream(data, whole[:-1] + bytes([whole[-1] ^ 1]))


def zeroed(data: bytes) -> bytes:
    whole = stream(data)
    return with_stream(data, whole[:-8] + bytes(8))


def with_a_row_more(data: bytes) -> bytes:
    rows = zlib.decompress(stream(data))
    return with_stream(data, zlib.compress(rows + b"\0" + bytes(39) + b"1"))


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (spoil_checksum, "checksum of its chunk 'IDAT' is wrong"),
        (lambda data: data[:-12], "no IEND"),
        (lambda data: data[:-16], "cut off in its chunk 'IDAT'"),
        (lambda data: with_stream(data, stream(data)[:-4]), "without their checksum"),
        (spoil_adler, "incorrect data check"),
        (lambda data: without_rows(data, 1), "23 of 24 rows"),
        (lambda data: without_rows(data, 24), "0 of 24 rows"),
        (zeroed, "pixels"),
        (with_a_row_more, "more pixels than its 24 rows"),
        (lambda data: with_stream(data), "pixels"),
        (lambda data: join([split(data)[0], (b"IEND", b"")]), "pixels"),
    ],
    ids=[
        "IDAT checksum",
        "no IEND",
        "cut off",
        "no Adler sum",
        "wrong Adler sum",
        "a row missing",
        "all rows missing",
        "zeros near the end",
        "a row too many",
        "no IDAT",
        "header alone",
    ],
)
def test_what_pillow_accepts_in_silence_is_refused(
    spoil: Callable[[bytes], bytes], why: str
) -> None:
    for values in (LABELS, np.zeros_like(LABELS)):
        with pytest.raises(ValueError, match=why):
            png.decode(spoil(encoded(values)))


@pytest.mark.parametrize("values", [LABELS, np.full_like(LABELS, 7), np.zeros_like(LABELS)])
def test_a_stream_without_its_last_bytes_is_refused_however_few(values: np.ndarray) -> None:
    data = encoded(values)
    whole = stream(data)
    for cut in range(1, min(20, len(whole))):
        with pytest.raises(ValueError, match="pixels"):
            png.decode(with_stream(data, whole[:-cut]))


def test_800_mutations_are_refused_or_change_nothing() -> None:
    """Half keep the checksums of the chunks right, as a faulty writer would."""
    rng = np.random.default_rng(1)
    for number in range(800):
        spoiled = bytearray(stream(WHOLE) if number % 2 else WHOLE)
        start = rng.integers(0, len(spoiled))
        length = rng.choice([1, 2, 16])
        spoiled[start : start + length] = rng.integers(0, 256, length).astype(np.uint8).tobytes()
        data = with_stream(WHOLE, bytes(spoiled)) if number % 2 else bytes(spoiled)
        try:
            read = png.pixels(data)
        except (ValueError, OSError, SyntaxError):
            continue
        assert np.array_equal(read, LABELS)


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (b"iCCP", b"big\0\0" + zlib.compress(bytes(2**22))),
        (b"zTXt", b"big\0\0" + zlib.compress(bytes(2**22))),
        (b"eXIf", b"no TIFF"),
        (b"gAMA", b"\0"),
        (b"acTL", b"\0"),
    ],
)
def test_what_does_not_matter_to_the_pixels_is_left_alone(kind: bytes, content: bytes) -> None:
    assert np.array_equal(png.pixels(with_chunk(WHOLE, kind, content)), LABELS)


@pytest.mark.parametrize(
    ("width", "height", "why"), [(20_000, 20_000, "400 megapixels"), (0, 5, "size is 0")]
)
def test_a_size_that_cannot_be_is_said(width: int, height: int, why: str) -> None:
    header = pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    with pytest.raises(ValueError, match=why):
        png.decode(join([(b"IHDR", header), *split(WHOLE)[1:]]))
