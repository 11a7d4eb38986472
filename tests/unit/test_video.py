"""Parts of ``segbench video``: turning, staging, reading, and the rate."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from segbench.data.draw import caption
from segbench_plugins.commands.video.read import UPRIGHT, open_footage, orientation_of
from segbench_plugins.commands.video.stages import Legend, Rate
from tests.tiny import tiny_dataset
from tests.videos import FAST_START, QUARTER_TURN, pictures, write_video

ONE = 65536
PICTURE = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)


@pytest.mark.parametrize(
    ("parts", "corners"),  # of a picture with A B above C D
    [
        ((ONE, 0, 0, ONE), "ABCD"),
        ((0, ONE, -ONE, 0), "CADB"),  # a quarter clockwise
        ((-ONE, 0, 0, -ONE), "DCBA"),
        ((0, -ONE, ONE, 0), "BDAC"),
        ((-ONE, 0, 0, ONE), "BADC"),  # a mirror
        ((ONE, 0, 0, -ONE), "CDAB"),
        ((0, ONE, ONE, 0), "ACBD"),
        ((0, -ONE, -ONE, 0), "DBCA"),
    ],
)
def test_the_eight_orientations(parts: tuple[int, ...], corners: str) -> None:
    a, b, c, d = parts
    orientation = orientation_of((a, b, 0, c, d, 0, 0, 0, 1 << 30))
    upright = orientation.upright(PICTURE)
    by_letter = dict(zip("ABCD", PICTURE.reshape(4, 3).tolist(), strict=True))
    assert upright.reshape(4, 3).tolist() == [by_letter[letter] for letter in corners]
    assert (orientation.stored(upright) == PICTURE).all()


def test_no_matrix_is_upright() -> None:
    assert orientation_of(None) == UPRIGHT


def test_the_rate_is_that_of_the_last_thirty_frames() -> None:
    times = iter([0.0, 0.5, *(0.5 + n / 10 for n in range(1, 31))])
    rate = Rate(lambda: next(times))
    assert rate.count() is None
    assert rate.count() == 2
    assert [rate.count() for _ in range(30)][-1] == pytest.approx(10)


@pytest.mark.parametrize("size", [(100, 400), (40, 60), (4, 4)])
def test_a_caption_covers_the_upper_left_corner_alone(size: tuple[int, int]) -> None:
    image = np.full((*size, 3), 128, np.uint8)
    drawn = caption(image, "10.0 frames/s, eager\nPyTorch on cpu")
    assert drawn.shape == image.shape
    assert (image == 128).all()
    assert (drawn != 128).any()
    assert (drawn[size[0] // 2 + 20 :] == 128).all()


def test_a_long_caption_leaves_half_of_the_width() -> None:
    image = np.full((360, 480, 3), 128, np.uint8)
    drawn = caption(image, "10.0 frames/s, eager\nPyTorch eager FP32 on cpu (x86_64), and more")
    assert (drawn[:, 260:] == 128).all()


def test_a_legend_names_the_classes_seen_so_far() -> None:
    dataset = tiny_dataset()
    over = Legend(dataset).over
    image = np.full((300, 400, 3), 128, np.uint8)
    first, second = np.zeros((2, 300, 400), np.uint8)
    second[:] = 3
    one, both, still_both = (over(image, seen) for seen in (first, second, first))
    assert (image == 128).all()
    assert (one[:200] == 128).all()

    def shown(frame: np.ndarray, index: int) -> bool:
        return bool((frame == dataset.palette[index]).all(-1).any())

    assert [shown(one, index) for index in (0, 3)] == [True, False]
    assert [shown(both, index) for index in (0, 3)] == [True, True]
    assert (still_both == both).all()
    small = np.full((30, 40, 3), 128, np.uint8)
    assert (Legend(dataset).over(small, np.zeros((30, 40), np.uint8)) == 128).all()


def test_frames_of_a_file(tmp_path: Path) -> None:
    footage = open_footage(write_video(tmp_path / "a.mp4"))
    stills = list(footage.stills)
    assert (footage.size, footage.rate, footage.expected) == ((32, 64), 25, 12)
    assert [still.time * footage.tick for still in stills] == [Fraction(n, 25) for n in range(12)]
    for still, picture in zip(stills, pictures(12, (32, 64)), strict=True):
        assert np.abs(still.image.astype(int) - picture).mean() < 3
    assert footage.troubles == []


def test_a_title_may_be_in_any_encoding(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4")
    path.write_bytes(path.read_bytes().replace(b"Lavf", b"\xe7avf"))
    assert b"\xe7avf" in path.read_bytes()
    assert len(list(open_footage(path).stills)) == 12


def test_frames_are_upright(tmp_path: Path) -> None:
    footage = open_footage(write_video(tmp_path / "a.mp4", matrix=QUARTER_TURN))
    (still, *_) = footage.stills
    assert (footage.size, still.image.shape) == ((32, 64), (64, 32, 3))
    assert still.image[0].mean() < 10  # what is stored at the left is shown at the top
    assert still.image[-1].mean() > 110


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
@pytest.mark.parametrize(("start", "most", "count"), [(0.2, None, 7), (0.2, 3, 3), (0.0, 5, 5)])
def test_start_and_most(
    tmp_path: Path, name: str, start: float, most: int | None, count: int
) -> None:
    footage = open_footage(write_video(tmp_path / name), start=start, most=most)
    stills = list(footage.stills)
    assert (len(stills), stills[0].time, footage.troubles) == (count, 0, [])
    expected = pictures(12, (32, 64))[round(start * 25)]
    assert np.abs(stills[0].image.astype(int) - expected).mean() < 3


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_a_file_that_is_cut_off_gives_what_it_has(tmp_path: Path, name: str) -> None:
    options = FAST_START if name == "a.mp4" else {}
    path = write_video(tmp_path / name, 100, (64, 128), options=options)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    footage = open_footage(path)
    assert 20 < len(list(footage.stills)) < 95
    if name != "a.ts":  # a transport stream promises no length
        (trouble,) = footage.troubles
        assert "cut" in trouble


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_sound_may_last_longer(tmp_path: Path, name: str) -> None:
    footage = open_footage(write_video(tmp_path / name, 12, sound=3))
    assert (len(list(footage.stills)), footage.expected, footage.troubles) == (12, 12, [])


def test_folders_count_their_frames(tmp_path: Path) -> None:
    for number, level in ((2, 20), (10, 100), (1, 10)):
        PIL.Image.new("L", (5, 3), level).save(tmp_path / f"f{number}.png")
    footage = open_footage(tmp_path, Fraction(10))
    stills = list(footage.stills)
    assert [int(still.image[0, 0, 0]) for still in stills] == [10, 20, 100]
    assert (footage.size, footage.rate, footage.expected) == ((3, 5), 10, 3)
    assert [still.time for still in open_footage(tmp_path, Fraction(10), 0.1).stills] == [0, 1]


def test_a_folder_ends_where_a_frame_is_wrong(tmp_path: Path) -> None:
    PIL.Image.new("L", (5, 3)).save(tmp_path / "1.png")
    (tmp_path / "2.png").touch()
    PIL.Image.new("L", (9, 9)).save(tmp_path / "3.png")
    footage = open_footage(tmp_path, Fraction(10))
    assert len(list(footage.stills)) == 1
    assert "2.png" in footage.troubles[0]
    (tmp_path / "2.png").unlink()
    footage = open_footage(tmp_path, Fraction(10))
    assert len(list(footage.stills)) == 1
    assert "3.png, which has another size" in footage.troubles[0]
