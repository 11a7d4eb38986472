"""Palette pictures are their indices, as for the official tool; labels must not contradict them."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from segbench.data.layouts import read_indices
from segbench.errors import DataError
from segbench.scoring.predictions import read_prediction
from segbench.types import Color, Frame
from segbench_plugins.datasets.camvid.score import COLORS
from segbench_plugins.datasets.cityscapes.labels import LABELS
from segbench_plugins.datasets.cityscapes.score import Cityscapes
from tests.official_cityscapes import official_score

OWN = tuple(label.color for label in LABELS)
GREYS = tuple((level, level, level) for level in range(34))
VOC = ((0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128), (128, 0, 128))
LABEL = np.array([[7, 7, 8, 11], [21, 23, 26, 3]], np.uint8)


def save(path: Path, indices: np.ndarray, colors: tuple[Color, ...], **options: int) -> Path:
    picture = PIL.Image.fromarray(indices).convert("P")
    picture.putpalette([level for color in colors for level in color])
    picture.save(path, **options)
    return path


def reordered(colors: tuple[Color, ...]) -> tuple[np.ndarray, tuple[Color, ...]]:
    """The same look as ``LABEL`` in ``colors``, by other indices, as an editor saves it."""
    values, indices = np.unique(LABEL, return_inverse=True)
    return indices.reshape(LABEL.shape).astype(np.uint8), tuple(colors[value] for value in values)


@pytest.mark.parametrize(
    "colors",
    [OWN, GREYS, ((1, 2, 3),) * 34, tuple((9, level, 9) for level in range(34))],
    ids=["its own colours", "grey levels", "one colour", "others"],
)
def test_indices_count(tmp_path: Path, colors: tuple[Color, ...]) -> None:
    assert np.array_equal(read_indices(save(tmp_path / "a.png", LABEL, colors), 33, OWN), LABEL)


@pytest.mark.parametrize(
    ("colors", "kind"), [(OWN, "dataset's colours"), (GREYS, "grey levels")], ids=["own", "grey"]
)
def test_colours_that_contradict_the_indices_are_said(
    tmp_path: Path, colors: tuple[Color, ...], kind: str
) -> None:
    path = save(tmp_path / "a.png", *reordered(colors))
    with pytest.raises(DataError, match=rf"a\.png is a palette picture .*{kind}.* contradict"):
        read_indices(path, 33, OWN)
    frame = Frame("a", path, path)
    with pytest.raises(DataError, match="contradict"):
        Cityscapes().count(frame, LABEL)


def test_a_palette_that_shares_some_colours_is_not_the_data_sets(tmp_path: Path) -> None:
    label = np.array([[0, 1, 2, 3, 4, 5]], np.uint8)
    path = save(tmp_path / "a.png", label, VOC)
    assert np.array_equal(read_indices(path, 11, (*COLORS, (0, 0, 0))), label)


def test_predictions_and_labels_score_as_with_the_official_tool(tmp_path: Path) -> None:
    """With any palette, of any depth, transparent or not."""
    rng = np.random.default_rng(0)
    label = rng.choice([7, 8, 11, 21], (20, 30)).astype(np.uint8)
    truth = save(tmp_path / "a_gtFine_labelIds.png", label, OWN)
    instances = tmp_path / "a_gtFine_instanceIds.png"
    PIL.Image.fromarray(label.astype(np.uint16)).save(instances)
    frame = Frame("a", truth, truth, instances)
    few = rng.choice([7, 8, 11], label.shape).astype(np.uint8)
    for name, colors, options in (
        ("own", OWN, {}),
        ("others", OWN[::-1], {}),
        ("four-bits", OWN[:12], {"bits": 4}),
        ("transparent", OWN, {"transparency": 7}),
    ):
        path = save(tmp_path / f"{name}.png", few, colors, **options)
        assert np.array_equal(read_prediction(path, palette=True), few)
        benchmark = Cityscapes()
        ours = benchmark.summarise(benchmark.count(frame, read_prediction(path, palette=True)))
        official = official_score([path], [truth])
        assert ours["averageScoreClasses"] == pytest.approx(official["averageScoreClasses"])
        assert ours["confMatrix"] == official["confMatrix"]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "1", "I;16"])
def test_other_kinds_stay_refused(tmp_path: Path, mode: str) -> None:
    PIL.Image.fromarray(LABEL).convert(mode).save(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"but a prediction is 8-bit grey or a palette"):
        read_prediction(tmp_path / "a.png", palette=True)
