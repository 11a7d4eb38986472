"""Thousands of damaged files, each read as commands read it: a result, or one sentence.

``SEGBENCH_MUTATIONS`` is the number for each format, 209 unless it is set.
"""

import os
import shutil
import signal
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.resources import files
from itertools import islice
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from safetensors.torch import save_file

from segbench.analysis.rank import ranking
from segbench.cache import cache_dir
from segbench.data.frames import cached_split, labelled_frames
from segbench.data.pictures import read_image
from segbench.errors import SegbenchError
from segbench.inference.checkpoint import load_checkpoint, save_checkpoint
from segbench.inference.evaluate import network_logits
from segbench.inference.sources import load_model_file
from segbench.inference.weights import read_weights
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.records.arrays import latency_samples, scored_frames
from segbench.records.frame import frame_of
from segbench.records.record import read_record, read_records
from segbench.scoring.predictions import read_prediction
from segbench.types import Description, Frame, ModelFile, Setup
from segbench_plugins.commands.compare.leaderboards import read_leaderboard
from segbench_plugins.commands.compare.records import compare
from segbench_plugins.commands.evaluate import evaluate
from segbench_plugins.commands.latency import latency
from segbench_plugins.commands.leaderboard.formats import FORMATS
from segbench_plugins.commands.leaderboard.page import leaderboard_page
from segbench_plugins.commands.plugin import segbench_commands
from segbench_plugins.commands.report.page import facts
from segbench_plugins.commands.report.sections import score_sections
from segbench_plugins.commands.run import run
from segbench_plugins.commands.suite.file import read_suite
from segbench_plugins.commands.video.read import open_footage
from segbench_plugins.datasets.camvid.plugin import read_label as read_camvid_label
from segbench_plugins.datasets.kitti.birds_eye import read_calibration
from segbench_plugins.datasets.kitti.score import read_ground_truth
from segbench_plugins.runtimes.onnx.graph import export_onnx
from segbench_plugins.runtimes.onnx.int8.network import remembered
from segbench_plugins.runtimes.onnx.int8.report import LayerCost, Report, read_json, write_json
from segbench_plugins.runtimes.onnx.metadata import read_description, write_description
from segbench_plugins.runtimes.onnx.plugin import segbench_model_formats
from segbench_plugins.runtimes.pytorch.eager import segbench_runtimes
from tests.long.mutate import Format, mutate
from tests.long.own_files import OWN_FILES
from tests.onnx_files import nearest_color
from tests.tiny import SIZE, TinyEncoder, fcn8s_over, tiny_backbone, tiny_dataset, write_tiny
from tests.videos import write_video

pytestmark = pytest.mark.filterwarnings("ignore")

SECONDS = 10
SAMPLE = 8
"""Mutations of each format in ``make test``."""
RECORDS = Path(__file__).parents[1] / "records"
RUN = RECORDS / "run/20261124T163910Z-c78d71ebe5d7.json"
LATENCY = RECORDS / "latency/20261124T182705Z-08161077dab9.json"
INSTALLED = Registry.load()
TINY = tiny_dataset()
QUIET = Reporter(quiet=True)
REGISTRY = Registry.of(
    [tiny_backbone()],
    [TINY],
    segbench_runtimes(),
    commands=segbench_commands(),
    model_formats=segbench_model_formats(),
)


def record_read(path: Path) -> None:
    results = path.parent / "results"
    shutil.rmtree(results, ignore_errors=True)
    (results / "run").mkdir(parents=True)
    shutil.copy(path, results / "run" / "a.json")
    shutil.copy(RUN.with_suffix(".npz"), results / "run" / "a.npz")
    records, _ = read_records(results)
    frame = frame_of(records)
    rows = ranking(frame)
    for form in FORMATS.values():
        form(rows)
    if records:
        named = {record.name or "": record for record in records}
        leaderboard_page(rows, named.get, frame["started_at"], "results")
    for record in records:
        facts(record)
        score_sections(record, scored_frames(record))
        compare(record, read_record(RUN))


def arrays_read(source: Path, read: Callable[[Any], Any], path: Path) -> None:
    shutil.copy(source, path.with_suffix(".json"))
    read(read_record(path.with_suffix(".json")))


def checkpoint_written(path: Path) -> None:
    torch.manual_seed(0)
    config = {"backbone": "tiny", "dataset": "tiny", "height": 32, "width": 64, "seed": 0}
    save_checkpoint(path, fcn8s_over(TinyEncoder(), 11), config)


def checkpoint_read(path: Path) -> None:
    loaded = load_checkpoint(path, REGISTRY)
    REGISTRY.dataset(loaded.config["dataset"])
    if loaded.size[0] * loaded.size[1] > 2**16:
        return
    session = REGISTRY.runtime("eager").open(loaded.model, Setup(loaded.size, device="cpu"))
    network_logits(session, np.zeros((*loaded.size, 3), np.uint8), loaded.size)


def weights_written(path: Path) -> None:
    state = {"state_dict": fcn8s_over(TinyEncoder(), 11).net.state_dict(), "epoch": 3}
    torch.save(state, path)


def onnx_written(path: Path) -> None:
    torch.manual_seed(0)
    export_onnx(fcn8s_over(TinyEncoder(), 11).eval(), path, Setup(SIZE))
    write_description(path, Description("1", "tiny", ("a",), ((1, 2, 3),), "", "images", "logits"))


def report_written(path: Path) -> None:
    costs = (LayerCost("a", 20.0, 0.01), LayerCost("b", 30.0, 0.0))
    write_json(Report("key", "0" * 64, "unsigned", 4, {"layers": ["a"]}, 0.5, 0.4, costs), path)


def leaderboard_written(form: str, path: Path) -> None:
    path.write_text(FORMATS[form](ranking(frame_of(read_records(RECORDS)[0]))), encoding="utf-8")


def picture_written(mode: str, path: Path) -> None:
    rng = np.random.default_rng(0)
    shape = (24, 40) if mode in "LP" else (24, 40, 3)
    picture = PIL.Image.fromarray(rng.integers(0, 12, shape, dtype=np.uint8))
    if mode == "P":
        picture = PIL.Image.fromarray(np.asarray(picture), "P")
        picture.putpalette(rng.integers(0, 256, 768, dtype=np.uint8).tobytes())
    picture.save(path)


def label_read(path: Path) -> Any:
    return read_camvid_label(Frame("a", path, path))


def onnx_read(path: Path) -> None:
    network = load_model_file(ModelFile(path, TINY), REGISTRY).model
    session = REGISTRY.runtime("eager").open(network, Setup(SIZE, device="cpu"))
    network_logits(session, np.zeros((*SIZE, 3), np.uint8), SIZE)


def safetensors_written(path: Path) -> None:
    torch.manual_seed(0)
    save_file(fcn8s_over(TinyEncoder(), 11).net.state_dict(), path)


def frames_cached(path: Path) -> None:
    """``path`` becomes the array of a cache's images."""
    frames = labelled_frames(TINY, TINY.locate(write_tiny(path.parent / "data")), "val")
    cached_split(TINY, frames, SIZE, "key", QUIET)
    shutil.copy(cached_images(), path)


def cached_images() -> Path:
    (place,) = cache_dir("frames").glob("*/images.npy")
    return place


def frames_read(path: Path) -> Any:
    shutil.copy(path, cached_images())
    frames = labelled_frames(TINY, TINY.locate(path.parent / "data"), "val")
    return np.array(cached_split(TINY, frames, SIZE, "key", QUIET).images)


def choice_cached(path: Path) -> None:
    """``path`` becomes what a cache remembers of INT8."""
    remembered("choice.json", choice)
    shutil.copy(cache_dir("int8") / "choice.json", path)


def choice() -> Any:
    return {"layers": ["a", "b"], "miou": 0.5}


def choice_read(path: Path) -> Any:
    shutil.copy(path, cache_dir("int8") / "choice.json")
    return remembered("choice.json", choice)


def suite_written(path: Path) -> None:
    shutil.copy(str(files("segbench_plugins.commands.suite").joinpath("example.toml")), path)


def suite_read(path: Path) -> None:
    commands = {"run": run, "evaluate": evaluate, "latency": latency}
    read_suite(path, commands, INSTALLED)


def footage_read(path: Path) -> None:
    footage = open_footage(path, None, 0.0, 4)
    for _ in islice(footage.stills, 4):
        pass


CALIBRATION = "\n".join(
    f"{name}: " + " ".join(["1.0e+00"] + ["0.5"] * (count - 1))
    for name, count in (("P0", 12), ("P2", 12))
)
CALIBRATION += "\nR0_rect: 1 0 0 0 1 0 0 0 1\nTr_cam_to_road: 1 0 0 0 0 1 0 0 0 0 1 0\n"

FORMATS_TO_DAMAGE = {
    "record": Format(partial(shutil.copy, RUN), record_read, ".json"),
    "arrays of a score": Format(
        partial(shutil.copy, RUN.with_suffix(".npz")),
        partial(arrays_read, RUN, scored_frames),
        ".npz",
    ),
    "arrays of a latency": Format(
        partial(shutil.copy, LATENCY.with_suffix(".npz")),
        partial(arrays_read, LATENCY, latency_samples),
        ".npz",
    ),
    "checkpoint": Format(checkpoint_written, checkpoint_read, ".safetensors"),
    "weights of torch": Format(weights_written, read_weights, ".pth"),
    "weights as safetensors": Format(safetensors_written, read_weights, ".safetensors"),
    "ONNX": Format(onnx_written, read_description, ".onnx"),
    "ONNX as a network": Format(nearest_color, onnx_read, ".onnx"),
    "cache of frames": Format(frames_cached, frames_read, ".npy", checked=True),
    "cache of INT8": Format(choice_cached, choice_read, ".json", checked=True),
    "quantize-report": Format(report_written, read_json, ".json"),
    "leaderboard as CSV": Format(partial(leaderboard_written, "csv"), read_leaderboard, ".csv"),
    "leaderboard as JSON": Format(partial(leaderboard_written, "json"), read_leaderboard, ".json"),
    "prediction": Format(partial(picture_written, "L"), read_prediction, ".png", checked=True),
    "label": Format(partial(picture_written, "L"), label_read, ".png", checked=True),
    "label with a palette": Format(
        partial(picture_written, "P"), partial(read_prediction, palette=True), ".png", checked=True
    ),
    "ground truth of KITTI": Format(partial(picture_written, "RGB"), read_ground_truth, ".png"),
    "calibration": Format(lambda path: path.write_text(CALIBRATION), read_calibration, ".txt"),
    "photo as PNG": Format(partial(picture_written, "RGB"), read_image, ".png"),
    "photo as JPEG": Format(partial(picture_written, "RGB"), read_image, ".jpg"),
    "photo as WebP": Format(partial(picture_written, "RGB"), read_image, ".webp"),
    "photo as TIFF": Format(partial(picture_written, "RGB"), read_image, ".tif"),
    "suite": Format(suite_written, suite_read, ".toml"),
    "video": Format(write_video, footage_read, ".mp4"),
    **OWN_FILES,
}
COUNT = int(os.environ.get("SEGBENCH_MUTATIONS", "209"))


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """Raise TimeoutError where the block takes longer."""

    def late(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"it takes more than {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.long
@pytest.mark.timeout(0)
@pytest.mark.parametrize("name", FORMATS_TO_DAMAGE)
def test_a_damaged_file_is_read_or_named(name: str, tmp_path: Path) -> None:
    assert not wrongly_read(FORMATS_TO_DAMAGE[name], range(COUNT), tmp_path)


@pytest.mark.parametrize("name", FORMATS_TO_DAMAGE)
def test_a_sample_of_damaged_files(name: str, tmp_path: Path) -> None:
    assert not wrongly_read(FORMATS_TO_DAMAGE[name], range(10_000, 10_000 + SAMPLE), tmp_path)


def wrongly_read(form: Format, seeds: Iterable[int], folder: Path) -> list[str]:
    """Write one to ``folder``, damage it with each seed, and give what is wrong with reading it."""
    path = folder / f"file{form.suffix}"
    form.write(path)
    sound, expected = path.read_bytes(), form.read(path)
    wrong = []
    for seed in seeds:
        path.write_bytes(mutate(sound, np.random.default_rng(seed)))
        try:
            with at_most(SECONDS):
                found = form.read(path)
            if form.checked and not np.array_equal(found, expected):
                wrong.append(f"seed {seed}: read as something else")
        except SegbenchError:
            pass
        except Exception:
            wrong.append(f"seed {seed}: {traceback.format_exc()}")
    return wrong
