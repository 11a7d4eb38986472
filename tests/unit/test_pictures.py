"""Pictures of every kind become the RGB that a viewer shows; what cannot be is named."""

import os
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from segbench.data.pictures import find_pictures, read_image
from segbench.errors import DataError

RED = (255, 0, 0)
HALF_RED = (255, 0, 0, 128)


def save(path: Path, picture: PIL.Image.Image, **options: object) -> Path:
    picture.save(path, **options)
    return path


def colours(path: Path) -> list[list[int]]:
    """The first row."""
    return read_image(path)[0].tolist()


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "webp"])
def test_rgb_stays_as_it_is(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path / f"a.{suffix}", PIL.Image.new("RGB", (2, 1), RED), lossless=True)
    assert colours(path) == [[255, 0, 0], [255, 0, 0]]


@pytest.mark.parametrize(("mode", "value", "level"), [("L", 77, 77), ("1", 1, 255)])
def test_grey_is_three_equal_channels(tmp_path: Path, mode: str, value: int, level: int) -> None:
    assert colours(save(tmp_path / "a.png", PIL.Image.new(mode, (1, 1), value))) == [[level] * 3]


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_the_upper_eight_of_sixteen_bits_count(tmp_path: Path, suffix: str) -> None:
    levels = np.array([[0, 255, 256, 0x80FF, 0xFFFF]], np.uint16)
    path = save(tmp_path / f"a.{suffix}", PIL.Image.fromarray(levels))
    assert colours(path) == [[level] * 3 for level in (0, 0, 1, 128, 255)]


def test_a_palette_is_looked_up(tmp_path: Path) -> None:
    picture = PIL.Image.new("P", (2, 1))
    picture.putpalette([0, 0, 0, *RED])
    picture.putpixel((1, 0), 1)
    assert colours(save(tmp_path / "a.png", picture)) == [[0, 0, 0], [255, 0, 0]]
    clear = save(tmp_path / "clear.png", picture, transparency=0)
    assert colours(clear) == [[255, 255, 255], [255, 0, 0]]


@pytest.mark.parametrize(
    ("mode", "value", "expected"),
    [
        ("RGBA", HALF_RED, [255, 127, 127]),
        ("RGBA", (0, 0, 0, 0), [255, 255, 255]),
        ("LA", (0, 0), [255, 255, 255]),
        ("LA", (9, 255), [9, 9, 9]),
    ],
)
def test_white_lies_behind_what_is_transparent(
    tmp_path: Path, mode: str, value: tuple[int, ...], expected: list[int]
) -> None:
    assert colours(save(tmp_path / "a.png", PIL.Image.new(mode, (1, 1), value))) == [expected]


def test_cmyk_is_ink_on_white(tmp_path: Path) -> None:
    ink = PIL.Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    for name in ("a.jpg", "a.tiff"):
        (colour, *_) = colours(save(tmp_path / name, ink))
        assert np.abs(np.array(colour) - RED).max() <= 3, name


@pytest.mark.parametrize("suffix", ["jpg", "png", "tiff", "webp"])
def test_exif_turns_the_picture_upright(tmp_path: Path, suffix: str) -> None:
    picture = PIL.Image.new("RGB", (32, 16), "white")
    picture.paste(RED, (0, 0, 16, 16))  # on the left as stored, at the top as held
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    image = read_image(save(tmp_path / f"a.{suffix}", picture, exif=exif))
    assert image.shape == (32, 16, 3)
    assert image[4, 8, 1] < 30
    assert image[28, 8, 1] > 225


@pytest.mark.parametrize("content", [b"", b"no picture", None])
def test_what_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = save(tmp_path / "a.jpg", PIL.Image.effect_noise((64, 64), 50))
    path.write_bytes(path.read_bytes()[:300] if content is None else content)
    with pytest.raises(DataError, match=r"a\.jpg cannot be decoded"):
        read_image(path)


def test_pixels_of_unknown_range_are_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "depth.tiff", PIL.Image.new("F", (2, 2), 0.5))
    with pytest.raises(DataError, match=r"depth\.tiff is a picture of mode F"):
        read_image(path)


def test_files_folders_and_globs_give_each_picture_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("in/f10.png", "in/f2.JPG", "in/.hidden.png", "in/notes.txt", "in/deep/x.png"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    folder = [Path("in/f2.JPG"), Path("in/f10.png")]
    assert find_pictures(["in"]) == folder
    assert find_pictures(["in/f10.png", "in", "in/*.png"]) == folder[::-1]
    assert find_pictures(["in/**/*.png"]) == [Path("in/deep/x.png"), Path("in/f10.png")]
    Path("in/a[1].png").touch()
    assert find_pictures(["in/a[1].png"]) == [Path("in/a[1].png")]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("gone.png", "gone.png does not exist"),
        ("*.png", r"No file matches \*\.png"),
        (".", "holds no pictures"),
    ],
)
def test_an_input_that_gives_nothing_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=sentence):
        find_pictures([given])


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_damaged_exif_and_a_large_colour_profile_do_not_matter(tmp_path: Path, suffix: str) -> None:
    picture = PIL.Image.new("RGB", (8, 8), RED)
    options = {"exif": b"Exif\0\0no TIFF", "icc_profile": bytes(3_000_000)}
    (first, *_) = colours(save(tmp_path / f"a.{suffix}", picture, **options))
    assert np.abs(np.array(first) - RED).max() <= 3


@pytest.mark.parametrize("suffix", ["png", "bmp"])
def test_a_picture_over_the_limit_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    path = save(tmp_path / f"a.{suffix}", PIL.Image.new("RGB", (30, 30)))
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 400)
    monkeypatch.setattr("segbench.data.png.MAX_PIXELS", 800)
    with pytest.raises(DataError, match="limit of"):
        read_image(path)


def test_what_is_no_file_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"a\.png cannot be read"):
        read_image(tmp_path / "a.png")


def test_two_links_to_one_picture_are_two_pictures(tmp_path: Path) -> None:
    save(tmp_path / "x.png", PIL.Image.new("L", (1, 1)))
    links = [tmp_path / "in" / name for name in ("a.png", "b.png")]
    (tmp_path / "in").mkdir()
    for link in links:
        link.symlink_to(tmp_path / "x.png")
    (tmp_path / "again").symlink_to(tmp_path / "in")
    assert find_pictures([str(tmp_path / "in"), str(tmp_path / "again")]) == links


def test_a_folder_of_skipped_pictures_names_them(tmp_path: Path) -> None:
    for name in ("a.avif", "b.jp2", "._c.png"):
        (tmp_path / name).touch()
    with pytest.raises(DataError, match=r"Skipped 3 files: \._c\.png, a\.avif, b\.jp2"):
        find_pictures([str(tmp_path)])
