"""Arrays beside a record, damaged in every way: one sentence, and no memory for empty claims."""

import io
import os
import struct
import tracemalloc
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from segbench.errors import RecordError
from segbench.records.arrays import latency_samples, read_arrays, scored_frames
from segbench.records.record import Record

ARRAYS = {
    "confusion": np.arange(12).reshape(2, 2, 3),
    "frames": np.array(["a", "b"]),
    "seconds": np.linspace(0.1, 0.2, 40),
    "block": np.repeat(np.arange(4), 10),
}


def record(tmp_path: Path) -> Record:
    return Record(
        kind="run",
        config={},
        metrics={},
        provenance={},
        per_class={"iou": {"road": 0.5, "car": 0.5}},
        path=tmp_path / "a.json",
    )


def npz(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


def member(header: str, data: bytes = b"") -> bytes:
    """An archive of a single member ``confusion`` with that text as its header."""
    text = header.encode() + b"\n"
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data
        archive.writestr("confusion.npy", content)
    return file.getvalue()


def claim(shape: str, dtype: str = "<i8") -> str:
    return f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}}}"


def test_whole_arrays_come_back(tmp_path: Path) -> None:
    by_columns = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    arrays = {**ARRAYS, "by_columns": by_columns, "none": np.zeros((0, 3))}
    (tmp_path / "a.npz").write_bytes(npz(**arrays))
    read = read_arrays(tmp_path / "a.json")
    assert read.keys() == arrays.keys()
    assert all(np.array_equal(read[name], arrays[name]) for name in arrays)
    assert scored_frames(record(tmp_path)).ids == ("a", "b")
    assert len(latency_samples(record(tmp_path)).seconds) == 40


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text",
        member(claim("(2, 2, 3)")),
        member(claim("(1000000000, 1000, 3)"), bytes(96)),
        member(claim("(-2, 2, -3)"), bytes(96)),
        member(claim("(2, 2, 'x')"), bytes(96)),
        member(claim("(2, 2, 3)", "|O"), bytes(96)),
        member("{'descr': (", bytes(96)),
        member("{" * 200, bytes(96)),
        member("3", bytes(96)),
    ],
    ids=[
        "empty",
        "text",
        "no data",
        "terabytes",
        "negative",
        "no number",
        "pickle",
        "token",
        "nested",
        "no dict",
    ],
)
def test_damaged_arrays_are_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(RecordError, match=r"a\.npz cannot be read"):
        scored_frames(record(tmp_path))


def test_an_encrypted_member_and_an_unknown_compression_are_a_sentence(tmp_path: Path) -> None:
    whole = npz(**ARRAYS)
    for offset, value in ((6, 1), (8, 99)):
        spoiled = bytearray(whole)
        for mark, shift in ((b"PK\x03\x04", 0), (b"PK\x01\x02", 2)):
            start = whole.find(mark)
            while start >= 0:
                spoiled[start + offset + shift] = value
                start = whole.find(mark, start + 1)
        (tmp_path / "a.npz").write_bytes(spoiled)
        with pytest.raises(RecordError, match=r"a\.npz cannot be read"):
            scored_frames(record(tmp_path))


def test_a_fifo_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.npz")
    with pytest.raises(RecordError, match="not a regular file"):
        scored_frames(record(tmp_path))


def test_no_memory_is_taken_for_claims_and_for_what_nobody_needs(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in ARRAYS.items():
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, array)
        with archive.open("other.npy", "w") as file:
            np.lib.format.write_array(file, np.zeros(2**22))
    tracemalloc.start()
    scored_frames(record(tmp_path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**20


def test_500_mutations_never_end_in_a_traceback(tmp_path: Path) -> None:
    whole = npz(**ARRAYS)
    rng = np.random.default_rng(0)
    for _ in range(500):
        spoiled = bytearray(whole)
        for position in rng.integers(0, len(spoiled), rng.integers(1, 4)):
            spoiled[position] = rng.integers(256)
        (tmp_path / "a.npz").write_bytes(spoiled[: rng.integers(1, 2 * len(spoiled))])
        for read in (scored_frames, latency_samples):
            with suppress(RecordError):
                read(record(tmp_path))


@pytest.mark.parametrize(
    "change",
    [
        {"confusion": np.full((2, 2, 3), 2**63, np.uint64)},
        {"confusion": np.array([["x"]])},
        {"frames": np.array("a")},
        {"confusion": ARRAYS["confusion"][:1]},
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path: Path, change: dict[str, np.ndarray]) -> None:
    (tmp_path / "a.npz").write_bytes(npz(**{**ARRAYS, **change}))
    with pytest.raises(RecordError, match="cannot be used"):
        scored_frames(record(tmp_path))


def test_blocks_are_numbers(tmp_path: Path) -> None:
    changed = {**ARRAYS, "block": np.full(40, np.nan)}
    (tmp_path / "a.npz").write_bytes(npz(**changed))
    with pytest.raises(RecordError, match="cannot be used"):
        latency_samples(record(tmp_path))
