"""Finding and reading prediction files, and everything that can be wrong with them."""

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segbench.errors import DataError
from segbench.scoring.predictions import match_predictions, read_prediction
from segbench.types import Frame

GREY = np.arange(12, dtype=np.uint8).reshape(3, 4)


def frames(*ids: str) -> list[Frame]:
    return [Frame(name, Path(name)) for name in ids]


def write(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(GREY).save(path)


def test_a_file_belongs_to_the_frame_its_name_starts_with(tmp_path: Path) -> None:
    write(tmp_path, "a_1.png", "b/a_12_pred_v2.png", "c/d/a_123xy.png")
    (tmp_path / "readme.txt").touch()
    matched = match_predictions(frames("a_123", "a_12", "a_1"), tmp_path)
    assert matched.faults == ()
    assert [(frame.id, path.name) for frame, path in matched.pairs] == [
        ("a_123", "a_123xy.png"),
        ("a_12", "a_12_pred_v2.png"),
        ("a_1", "a_1.png"),
    ]


def test_the_suffix_may_be_in_capitals(tmp_path: Path) -> None:
    (tmp_path / "a_1.PNG").touch()
    ((_, path),) = match_predictions(frames("a_1"), tmp_path).pairs
    assert path.name == "a_1.PNG"


def test_missing_doubled_and_extra_are_all_told(tmp_path: Path) -> None:
    write(tmp_path, "a_1.png", "a_2.png", "again/a_2_pred.png", "a_44.png")
    matched = match_predictions(frames("a_1", "a_2", "a_3", "a_4"), tmp_path)
    assert [frame.id for frame, _ in matched.pairs] == ["a_1"]
    missing3, missing4, doubled, extra = matched.faults
    assert missing3 == "a_3: no prediction"
    assert missing4 == "a_4: no prediction"
    assert "a_2.png" in doubled
    assert "a_2_pred.png" in doubled
    assert extra == f"{tmp_path / 'a_44.png'}: does not match a frame of the split"


def test_wrong_folders(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not a folder"):
        match_predictions(frames("a_1"), tmp_path / "absent")
    with pytest.raises(DataError, match="contains no PNG"):
        match_predictions(frames("a_1"), tmp_path)
    write(tmp_path, "b_1.png", "b_2.png")
    with pytest.raises(DataError, match=r"None of the 2 PNGs .* a_1.png"):
        match_predictions(frames("a_1"), tmp_path)


def test_reads_the_values(tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "grey.png")
    assert np.array_equal(read_prediction(tmp_path / "grey.png"), GREY)


def four_bit(path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 4, 0, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"\x00\x12"))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + pixels + chunk(b"IEND", b""))


def cut(path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 34, (64, 64)).astype(np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:900])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: Image.fromarray(GREY.astype(np.uint16)).save(path), "is 16-bit grey"),
        (lambda path: Image.fromarray(np.dstack([GREY] * 3)).save(path), "is 8-bit RGB, "),
        (lambda path: Image.fromarray(GREY).convert("P").save(path), "is 8-bit palette"),
        (lambda path: Image.fromarray(GREY).convert("LA").save(path), "8-bit grey with alpha"),
        (lambda path: Image.fromarray(GREY).convert("1").save(path), "is 1-bit grey"),
        (four_bit, "is 4-bit grey"),
        (lambda path: Image.fromarray(GREY).save(path, "JPEG"), "not a PNG"),
        (lambda path: path.touch(), "not a PNG"),
        (lambda path: path.mkdir(), "cannot be read"),
        (cut, "cannot be decoded"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, spoil: Callable[[Path], object], message: str) -> None:
    path = tmp_path / "bad.png"
    spoil(path)
    with pytest.raises(DataError, match=rf"bad\.png.*{message}"):
        read_prediction(path)


def test_linked_folders_are_followed_once(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere", "a_1.png")
    predictions = tmp_path / "predictions"
    write(predictions, "real/a_2.png")
    (predictions / "linked").symlink_to(tmp_path / "elsewhere")
    (predictions / "same").symlink_to(predictions / "real")
    (predictions / "real" / "cycle").symlink_to(predictions)
    matched = match_predictions(frames("a_1", "a_2"), predictions)
    assert matched.faults == ()
    assert len(matched.pairs) == 2


def test_files_of_macos_and_unread_formats_are_skipped_and_said(tmp_path: Path) -> None:
    write(tmp_path, "a_1.png")
    (tmp_path / "._a_1.png").write_bytes(b"\0\5\x16\7")
    (tmp_path / "a_1.avif").touch()
    matched = match_predictions(frames("a_1"), tmp_path)
    assert [path.name for path in matched.skipped] == ["._a_1.png", "a_1.avif"]
    assert matched.faults == ()


def test_a_fifo_is_refused_and_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"a\.png cannot be read"):
        read_prediction(tmp_path / "a.png")
