"""Datasets: frames, labels, and the benchmark that scores predictions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from segbench.progress import Reporter
from segbench.types.basic import ClassMap, Color, Counts, Size
from segbench.types.recipe import Recipe


@dataclass(frozen=True)
class Frame:
    """One image of a dataset and the files that belong to it.

    ``id`` is unique in its split and names the frame in messages and outputs. The paths follow the
    dataset's layout; callers check that files exist. ``label`` is None if the benchmark does not
    publish its labels.
    """

    id: str
    image: Path
    label: Path | None = None
    instances: Path | None = None
    calibration: Path | None = None


class Benchmark(Protocol):
    """A benchmark's official measure, in two steps: counts per frame, then their summary.

    A prediction is a uint8 (H, W) array at label size: for ``output`` "labels" the official ids
    (``ids[class]``), for "probability" the probability of class 1 as uint8(p * 255 + 0.5).
    """

    @property
    def score_name(self) -> str:
        """The name of the headline figure: "miou", "MaxF"."""

    @property
    def output(self) -> Literal["labels", "probability"]:
        """The content of a prediction."""

    @property
    def ids(self) -> tuple[int, ...]:
        """The official id of each class."""

    def count(self, frame: Frame, prediction: NDArray[np.uint8], label_scale: int = 1) -> Counts:
        """One frame's counts; counts of several frames are added by key.

        "confusion" is the matrix (classes, classes + 1): rows are the ground truth, the last column
        counts predictions that are not a class.
        """

    def summarise(self, counts: Counts) -> dict[str, Any]:
        """The official result of summed counts, as JSON values with None for absent classes."""

    def score(self, summary: Mapping[str, Any]) -> float | None:
        """The headline figure of ``summarise``'s result, a fraction."""


@runtime_checkable
class Submittable(Protocol):
    """A benchmark with a test server."""

    @property
    def upload(self) -> str:
        """A sentence on which of the files to upload."""

    def submission(
        self, frame: Frame, prediction: NDArray[np.uint8]
    ) -> Mapping[str, NDArray[np.uint8]]:
        """The files of one test frame: relative path -> uint8 (H, W) picture to upload."""


@runtime_checkable
class Doubtful(Protocol):
    """A benchmark that can detect prediction files of the wrong kind."""

    def doubts(self, counts: Counts) -> list[str]:
        """Warnings derived from the summed counts of prediction files."""


@runtime_checkable
class Configurable(Protocol):
    """A benchmark with options, for ``segbench score -o KEY=VALUE``."""

    @property
    def options(self) -> Mapping[str, tuple[str, ...]]:
        """The values of each option, the default first."""

    def with_options(self, chosen: Mapping[str, str]) -> Benchmark:
        """The benchmark with these options, which are valid."""


@dataclass(frozen=True)
class ScoreTable:
    """Rows of figures by name: fractions, counts of frames, or None if undefined."""

    title: str
    columns: tuple[str, ...]
    rows: Mapping[str, tuple[float | int | None, ...]]


@runtime_checkable
class Tabular(Protocol):
    """A benchmark that reports more than the IoU and accuracy of each class."""

    def tables(self, summary: Mapping[str, Any]) -> Sequence[ScoreTable]:
        """Tables of ``summarise``'s result; one titled "class" adds columns to the class table."""


@dataclass(frozen=True)
class Dataset:
    """Road scenes with labels.

    ``locate`` takes the data root and returns the dataset's own folder, or raises DataError that
    says what was looked for and where to get it. ``frames`` takes that folder and a split and lists
    its frames in a fixed order. ``read_label`` returns a frame's class map, IGNORED for pixels that
    are not scored, and raises DataError on illegal values. ``sizes`` are the legal image sizes; if
    empty, all images have one size. A network is scored on ``score_split``, a folder of predictions
    on ``predictions_split`` or else the same. ``published`` is the number of frames that the
    benchmark publishes for a split. ``prepare`` is for datasets that generate their files: it takes
    the folder and the frames about to be read and creates missing files. ``labelling`` says what
    ``read_label`` depends on besides the label files: with another one, the same files are other
    data.
    """

    name: str
    summary: str
    classes: tuple[str, ...]
    palette: tuple[Color, ...]
    recipes: Mapping[str, Recipe]
    locate: Callable[[Path], Path]
    frames: Callable[[Path, str], Sequence[Frame]]
    read_label: Callable[[Frame], ClassMap]
    benchmark: Benchmark
    splits: tuple[str, ...] = ("train", "val", "test")
    score_split: str = "val"
    predictions_split: str | None = None
    sizes: tuple[Size, ...] = ()
    published: Mapping[str, int] = field(default_factory=dict)
    prepare: Callable[[Path, Sequence[Frame], Reporter], None] | None = None
    requires: tuple[str, ...] = ()
    labelling: str = ""


@dataclass(frozen=True)
class DescribedDataset:
    """A dataset whose classes are described in a file in its folder.

    ``read`` takes the data root and returns the dataset, whose name is ``name``, a dash and its own
    name; it raises DataError if there is none, or its description is wrong.
    """

    name: str
    summary: str
    read: Callable[[Path], Dataset]
    requires: tuple[str, ...] = ()
