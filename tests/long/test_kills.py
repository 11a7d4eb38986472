"""Each command that writes, killed at random moments: the next call works and loses nothing.

``SEGBENCH_KILLS`` is the number of kills for each command, 100 unless it is set. All calls of a
command share one folder and one cache. The last one is left alone.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import load_file

from segbench.data.pictures import read_photo
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.video.read import open_footage
from tests.videos import write_video

pytestmark = [pytest.mark.long, pytest.mark.timeout(0)]

KILLS = int(os.environ.get("SEGBENCH_KILLS", "100"))
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
TRAIN = (
    *("run", "--backbone", "mobilenet", "--dataset", "streets", "--weights", "none"),
    *("--size", "32x64", "--limit", "4", "--batch-size", "2", "--precision", "fp32"),
    *("--epochs", "3", "--output", "out", "--resume"),
)
TRAINED = ("--checkpoint", "made/out")
LATENCY = ("latency", *TRAINED, "--runtime", "eager", "--min-seconds", "1")
SCORE = ("score", "--dataset", "streets", "--predictions", "made/predictions", "--workers", "1")
COMMANDS = {
    "run": TRAIN,
    "evaluate": ("evaluate", *TRAINED, "--dataset", "streets", "--limit", "8"),
    "latency": LATENCY,
    "latency --isolate": (*LATENCY, "--isolate"),
    "predict": ("predict", "made/pictures", *TRAINED, "--output", "out"),
    "video": ("video", "made/a.mp4", *TRAINED, "--output", "out/a.mp4"),
    "export": ("export", *TRAINED, "--output", "out/a.onnx"),
    "export of INT8": (
        *("export", *TRAINED, "--runtime", "onnx-int8", "--calibration-frames", "4"),
        *("--output", "out/a.onnx"),
    ),
    "quantize-report": (
        *("quantize-report", *TRAINED, "--calibration-frames", "4", "--frames", "1"),
        *("--output", "out"),
    ),
    "report": ("report", "made/out/best.safetensors", "--limit", "4", "--output", "out/a.html"),
    "score": (*SCORE, "--results", "results", "--name", "a", "--json", "score.json"),
    "leaderboard": (
        *("leaderboard", "--results", "made/results", "--format", "html"),
        *("--output", "out/a.html"),
    ),
}
WHOLE: dict[str, Callable[[Path], object]] = {
    ".json": lambda path: json.loads(path.read_text("utf-8")),
    ".npz": lambda path: dict(np.load(path)),
    ".png": read_photo,
    ".safetensors": load_file,
    ".pt": lambda path: torch.load(path, weights_only=True),
    ".onnx": lambda path: onnx.checker.check_model(onnx.load(path)),
    ".mp4": lambda path: list(open_footage(path).stills),
    ".html": lambda path: path.read_text("utf-8").rstrip().endswith("</html>") or 1 / 0,
}
"""By the ending of a file what fails where it is not whole."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained network with its record and drawn frames, pictures, a video and predictions."""
    folder = tmp_path_factory.mktemp("made")
    cache = folder / "cache"
    _, errors = (training := call(TRAIN, folder, cache)).communicate()
    assert training.returncode == 0, errors
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEGBENCH_CACHE", str(cache))
        streets = Registry.load().dataset("streets")
        place = streets.locate(folder)
        frames = streets.frames(place, "val")
        assert streets.prepare
        streets.prepare(place, frames, Reporter(quiet=True))
    (folder / "predictions").mkdir()
    (folder / "pictures").mkdir()
    for frame in frames:
        shutil.copy(str(frame.label), folder / "predictions" / f"{frame.id}.png")
    for frame in frames[:6]:
        shutil.copy(frame.image, folder / "pictures")
    write_video(folder / "a.mp4", count=20)
    return folder


def call(arguments: tuple[str, ...], folder: Path, cache: Path) -> subprocess.Popen[str]:
    def heed_interrupts() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    return subprocess.Popen(
        [sys.executable, "-m", "segbench", *arguments],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1", "SEGBENCH_CACHE": str(cache)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    )


def check_whole(folder: Path) -> None:
    """Whatever lies there under its own name is whole; drafts have names that start with a dot."""
    for name in ("out", "results", "score.json"):
        for path in (folder / name, *(folder / name).rglob("*")):
            hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
            if path.is_file() and not hidden and path.suffix in WHOLE:
                WHOLE[path.suffix](path)


def start_over(folder: Path) -> None:
    for name in ("out", "results", "score.json", "cache"):
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", COMMANDS)
def test_a_killed_command_leaves_whole_files_and_works_again(
    name: str, made: Path, tmp_path: Path
) -> None:
    arguments = COMMANDS[name]
    (tmp_path / "made").symlink_to(made)

    def begin() -> subprocess.Popen[str]:
        if name != "run" and not (tmp_path / "cache").exists():
            # Frames are drawn, and what INT8 needs is not.
            shutil.copytree(made / "cache" / "streets", tmp_path / "cache" / "streets")
        return call(arguments, tmp_path, tmp_path / "cache")

    started = time.monotonic()
    _, errors = (undisturbed := begin()).communicate()
    seconds = time.monotonic() - started
    assert undisturbed.returncode == 0, errors
    check_whole(tmp_path)
    expected = outcome(tmp_path)
    start_over(tmp_path)

    rng = np.random.default_rng(0)
    for kill in range(KILLS):
        victim = begin()
        try:
            _, errors = victim.communicate(timeout=rng.uniform(0, seconds))
        except subprocess.TimeoutExpired:
            victim.send_signal(SIGNALS[kill % len(SIGNALS)])
            _, errors = victim.communicate(timeout=60)
            check_whole(tmp_path)
        else:
            assert victim.returncode == 0, f"kill {kill}: {errors}"
            start_over(tmp_path)
    _, errors = (last := begin()).communicate()
    assert last.returncode == 0, errors
    check_whole(tmp_path)
    assert outcome(tmp_path) == expected


def outcome(folder: Path) -> dict[str, bytes]:
    """What may not depend on kills: the weights, and what was drawn, by file."""
    kept = {"last.safetensors", "best.safetensors"}
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in (folder / "out").rglob("*")
        if path.name in kept or (path.suffix == ".png" and path.name != "report.png")
    }
