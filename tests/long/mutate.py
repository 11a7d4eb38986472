"""Seeded damage to the bytes of a file."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ODD = (b"-1", b"0", b"1e999", b"1e308", b"NaN", b"null", b"true", b'"x"', b"[]", b"{}", b"9" * 40)


@dataclass(frozen=True)
class Format:
    """A sound file, how it is read, and whether damage may change what is read.

    Formats with checksums give what was written or nothing.
    """

    write: Callable[[Path], object]
    read: Callable[[Path], Any]
    suffix: str
    checked: bool = False


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """``data`` with one to four changes of random kinds and places."""
    for _ in range(rng.integers(1, 5)):
        data = CHANGES[rng.integers(len(CHANGES))](data, rng)
    return data


def _span(data: bytes, rng: np.random.Generator, longest: int = 64) -> tuple[int, int]:
    start = int(rng.integers(len(data) + 1))
    return start, min(len(data), start + int(rng.integers(1, longest)))


def _flip(data: bytes, rng: np.random.Generator) -> bytes:
    start, end = _span(data, rng, 2)
    flipped = bytes(byte ^ (1 << int(rng.integers(8))) for byte in data[start:end])
    return data[:start] + flipped + data[end:]


def _overwrite(data: bytes, rng: np.random.Generator) -> bytes:
    start, end = _span(data, rng)
    return data[:start] + rng.bytes(end - start) + data[end:]


def _zero(data: bytes, rng: np.random.Generator) -> bytes:
    start, end = _span(data, rng)
    return data[:start] + bytes(end - start) + data[end:]


def _cut_out(data: bytes, rng: np.random.Generator) -> bytes:
    start, end = _span(data, rng)
    return data[:start] + data[end:]


def _repeat(data: bytes, rng: np.random.Generator) -> bytes:
    start, end = _span(data, rng)
    return data[:end] + data[start:end] * int(rng.integers(1, 4)) + data[end:]


def _truncate(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: int(rng.integers(len(data) + 1))]


def _replace_value(data: bytes, rng: np.random.Generator) -> bytes:
    """A number, a string or a word of JSON becomes an odd one."""
    found = list(re.finditer(rb'-?\d[\d.eE+-]*|"[^"\n]{0,40}"|null|true|false', data[:100_000]))
    if not found:
        return _overwrite(data, rng)
    match = found[rng.integers(len(found))]
    odd = ODD[rng.integers(len(ODD))]
    return data[: match.start()] + odd + data[match.end() :]


CHANGES = (_flip, _overwrite, _zero, _cut_out, _repeat, _truncate, _replace_value, _replace_value)
