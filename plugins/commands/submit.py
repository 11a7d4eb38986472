"""``segbench submit``: a test split's predictions in the format of the benchmark's server."""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
import PIL.Image

from segbench.cli import options as shared
from segbench.cli.terminal import echo
from segbench.data.layouts import provide
from segbench.data.pictures import read_image
from segbench.errors import SegbenchError
from segbench.files import check_writable, draft_of
from segbench.inference.opened import (
    EngineOptions,
    Opened,
    check_classes,
    load_network,
    open_network,
)
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.scoring.predictions import read_prediction
from segbench.text import counted
from segbench.types import ClassMap, Dataset, Frame, Image, Submittable

if TYPE_CHECKING:
    from torch import Tensor


@click.command()
@click.option("--checkpoint", type=click.Path(path_type=Path), required=True)
@click.option("--dataset", "dataset_name", required=True)
@click.option(
    "--output", type=click.Path(path_type=Path), required=True, help="A new folder or .zip file."
)
@shared.data_root
@shared.device
@click.pass_obj
def submit(registry: Registry, dataset_name: str, **given: Any) -> None:
    """Predict the test split and write the files to upload."""
    dataset, runtime = registry.dataset(dataset_name), registry.runtime("eager")
    chosen = SubmitOptions(dataset=dataset, runtime=runtime, **given)
    count = write_submission(chosen, registry, Reporter())
    echo(f"{counted(count, 'file')} in {chosen.output}")
    if isinstance(chosen.dataset.benchmark, Submittable):
        echo(chosen.dataset.benchmark.upload)


@dataclass(frozen=True, kw_only=True)
class SubmitOptions(EngineOptions):
    """The options of ``segbench submit``; ``output`` is a folder or a .zip file."""

    dataset: Dataset
    output: Path


def write_submission(options: SubmitOptions, registry: Registry, reporter: Reporter) -> int:
    """Write and verify the prediction files; return their number.

    Raises SegbenchError if the dataset has no test server, or the output exists. The output is
    written atomically.
    """
    if not isinstance(options.dataset.benchmark, Submittable):
        others = [d.name for d in registry.datasets if isinstance(d.benchmark, Submittable)]
        raise SegbenchError(
            f"{options.dataset.name!r} has no test server. Files in a server's format are written "
            f"for {', '.join(others)}; segbench evaluate scores a network here."
        )
    zipped = options.output.suffix == ".zip"
    taken = options.output.exists() and (zipped or options.output.is_file())
    if taken or (options.output.is_dir() and any(options.output.iterdir())):
        raise SegbenchError(f"--output {options.output} already exists; name a new one.")
    check_writable(options.output.parent)
    with draft_of(options.output) as draft:
        folder = draft.with_name("files") if zipped else draft
        folder.mkdir()
        count = _predict(options, folder, registry, reporter)
        if zipped:
            _zip(folder, draft)
    return count


def _zip(folder: Path, zip_file: Path) -> None:
    with zipfile.ZipFile(zip_file, "w") as archive:
        for path in sorted(folder.rglob("*.png")):
            archive.write(path, path.relative_to(folder))


def _predict(options: SubmitOptions, folder: Path, registry: Registry, reporter: Reporter) -> int:
    dataset = options.dataset
    network = load_network(options, registry, reporter)
    check_classes(network, dataset)
    opened = open_network(network, options, registry, reporter, dataset)
    source = dataset.locate(options.data_root)
    frames = dataset.frames(source, "test")
    provide(dataset, source, frames, reporter)
    return write_files(opened, frames, folder, reporter)


def write_files(opened: Opened, frames: Sequence[Frame], folder: Path, reporter: Reporter) -> int:
    """Write and verify the files of each frame below ``folder``; return their number."""
    from segbench.inference.evaluate import official_prediction, predict_all

    benchmark = opened.dataset.benchmark
    assert isinstance(benchmark, Submittable)

    def read(frame: Frame) -> Image:
        return read_image(frame.image)

    def write(frame: Frame, image: Image, logits: "Tensor", classes: ClassMap) -> int:
        files = benchmark.submission(frame, official_prediction(opened.dataset, logits, classes))
        for name, values in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            PIL.Image.fromarray(values).save(path)
            if not np.array_equal(read_prediction(path), values):
                raise SegbenchError(f"{path} reads back differently from what was written.")
        return len(files)

    session, size = opened.session, opened.size
    return sum(predict_all(session, size, frames, read, write, reporter, "predict"))
