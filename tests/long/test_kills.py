"""Each command that writes, killed at random moments: the next call works and loses nothing.

``SEGBENCH_KILLS`` is the number of kills for each command, 100 unless it is set. With
``SEGBENCH_KILLS_LOG`` each trial is a line of JSON in that file, and those that went well are not
repeated. Every trial begins in an empty folder, with frames of ``streets`` that are drawn already,
except where drawing is what is tried.
"""

import hashlib
import json
import os
import re
import shutil
import signal
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import load_file

from segbench.data.pictures import read_image
from segbench.files import HELD, SECOND
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench_plugins.commands.video.read import open_footage
from segbench_plugins.datasets.streets.write import write_streets
from tests.long.forks import END, Call, Ended, Forks
from tests.videos import write_video

pytestmark = [pytest.mark.timeout(0), pytest.mark.filterwarnings("ignore")]

KILLS = int(os.environ.get("SEGBENCH_KILLS", "100"))
LOG = os.environ.get("SEGBENCH_KILLS_LOG")
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
EPOCHS = 3
ROOT = Path(__file__).parents[2]
TRAIN = (
    *("run", "--dataset", "streets", "--weights", "none", "--size", "32x64", "--limit", "2"),
    *("--batch-size", "1", "--precision", "fp32", "--epochs", str(EPOCHS)),
    *("--output", "out", "--resume", "--backbone"),
)
PLUGIN = """
from segbench import hookimpl
from segbench.latency import peaks
from tests.tiny import tiny_backbone

peaks.SECONDS = 0.01


@hookimpl
def segbench_backbones():
    yield tiny_backbone()
"""
TRAINED = ("--checkpoint", "made/out")
LATENCY = ("latency", *TRAINED, "--runtime", "eager", "--min-seconds", "0.05")
SCORE = ("score", "--dataset", "streets", "--predictions", "made/predictions", "--workers", "1")
SUITE = """
results = "results"
page = "out/leaderboard.html"
reports = "out/reports"
runtime = "eager"

[latency]
min-seconds = 0.05

[evaluate]
limit = 4

[[train]]
backbone = "tiny"
dataset = "streets"
weights = "none"
size = "32x64"
limit = 2
batch-size = 1
precision = "fp32"
epochs = 3
output = "out/run"
"""
COMMANDS = {
    "score": (*SCORE, "--results", "results", "--name", "a", "--json", "out/score.json"),
    "leaderboard": (
        *("leaderboard", "--results", "made/results", "--format", "html"),
        *("--output", "out/a.html"),
    ),
    "streets": ("streets", "out/drawn", "--frames", "24", "--size", "64x128"),
    "predict": ("predict", "made/pictures", *TRAINED, "--output", "out"),
    "video": ("video", "made/a.mp4", *TRAINED, "--output", "out/a.mp4"),
    "evaluate": ("evaluate", *TRAINED, "--dataset", "streets", "--limit", "4"),
    "run": (*TRAIN, "mobilenet"),
    "submit": (
        *("submit", *TRAINED, "--dataset", "cityscapes", "--data-root", "made/cityscapes"),
        *("--output", "out/upload.zip"),
    ),
    "report": ("report", "made/out/best.safetensors", "--limit", "4", "--output", "out/a.html"),
    "export": ("export", *TRAINED, "--output", "out/a.onnx"),
    "export of INT8": (
        *("export", *TRAINED, "--runtime", "onnx-int8", "--calibration-frames", "4"),
        *("--output", "out/a.onnx"),
    ),
    "quantize-report": (
        *("quantize-report", *TRAINED, "--calibration-frames", "4", "--frames", "1"),
        *("--output", "out"),
    ),
    "latency": LATENCY,
    "suite": ("suite", "made/suite.toml"),
    "latency --isolate": (*LATENCY, "--isolate"),
}
DRAW = ("evaluate", "streets")
"""Commands for which no frames are drawn beforehand."""
ONCE = ("submit", "streets")
"""Commands that refuse to write where they have written; then the kill came when all was done."""
WHOLE: dict[str, Callable[[Path], object]] = {
    ".json": lambda path: json.loads(path.read_text("utf-8")),
    ".npz": lambda path: dict(np.load(path)),
    ".npy": lambda path: np.load(path),
    ".png": read_image,
    ".safetensors": load_file,
    ".pt": lambda path: torch.load(path, weights_only=True),
    ".onnx": lambda path: onnx.checker.check_model(onnx.load(path)),
    ".mp4": lambda path: list(open_footage(path).stills),
    ".html": lambda path: path.read_text("utf-8").rstrip().endswith("</html>") or 1 / 0,
    ".zip": shutil.unpack_archive,
}
"""By the ending of a file what fails where it is not whole."""
RECORD = r"\d{8}T\d{6}Z-(\w+)(-\d+)?"
PLACES = ("out", "results", "cache", "tmp")


@dataclass(frozen=True)
class Trial:
    """What became of one kill: ``after`` is its moment in seconds, ``again`` the next call's."""

    command: str
    trial: int
    signal: str
    after: float
    killed: bool
    code: int
    left: float
    again: float
    faults: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A small trained network with its record, drawn frames, pictures, a video and predictions."""
    folder = tmp_path_factory.mktemp("made")
    install_plugin(folder / "site")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{folder / 'site'}{os.pathsep}{ROOT}")
        with Forks(folder / "cache", folder, Call((*TRAIN, "tiny"), str(folder))):
            pass
        patch.setenv("SEGBENCH_CACHE", str(folder / "cache"))
        streets = Registry.load().dataset("streets")
        place = streets.locate(folder)
        assert streets.prepare
        for split in ("train", "val", "test"):
            streets.prepare(place, streets.frames(place, split)[:80], Reporter(quiet=True))
        frames = streets.frames(place, "val")
        (folder / "predictions").mkdir()
        (folder / "pictures").mkdir()
        for frame in frames:
            shutil.copy(str(frame.label), folder / "predictions" / f"{frame.id}.png")
        for frame in frames[:6]:
            shutil.copy(frame.image, folder / "pictures")
        write_video(folder / "a.mp4", count=20)
        (folder / "suite.toml").write_text(SUITE)
        write_streets(folder / "cityscapes", 8, (1024, 2048), 0, "cityscapes", Reporter(quiet=True))
        yield folder


def install_plugin(site: Path) -> None:
    """A folder for ``PYTHONPATH``: a network that trains in a second, and rooflines as fast."""
    info = site / "tiny_plugin-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "tiny_plugin.py").write_text(PLUGIN)
    (info / "METADATA").write_text("Name: tiny-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[segbench]\ntiny = tiny_plugin\n")


@pytest.mark.long
@pytest.mark.parametrize("name", COMMANDS)
def test_a_killed_command_leaves_whole_files_and_works_again(
    name: str, made: Path, tmp_path: Path
) -> None:
    (tmp_path / "made").symlink_to(made)
    faults = kill(name, KILLS, tmp_path, made / "cache" / "streets")
    assert not faults, "\n".join(faults[:5])


def test_a_training_ends_with_the_same_weights_whatever_signal_stops_it(tmp_path: Path) -> None:
    assert not kill("run", len(SIGNALS), tmp_path, None)


def kill(name: str, kills: int, folder: Path, drawn: Path | None) -> list[str]:
    """Kill it so many times in ``folder``, and give what was wrong; ``drawn`` are frames."""
    drawn = None if name in DRAW else drawn
    undisturbed = Call(COMMANDS[name], str(folder))
    faults = []
    start_over(folder, drawn)
    with Forks(folder / "cache", folder / "tmp", undisturbed) as forks:
        assert not broken(folder)
        expected = files_in(folder)
        start_over(folder, drawn)
        second = forks.call(undisturbed)
        assert second.code == 0, second.errors
        found = files_in(folder)
        assert set(found) == set(expected)
        expected = {path: found[path] if found[path] == expected[path] else "" for path in found}

        done = killed_before(name)
        killed = sum(each["killed"] for each in done.values())
        for number in count():
            if killed >= kills:
                break
            if number in done:
                continue
            rng = np.random.default_rng([zlib.crc32(name.encode()), number])
            start_over(folder, drawn)
            after = second.seconds * rng.uniform()
            trial = one_trial(name, number, after, folder, forks, expected)
            faults += [f"{name}, {number}: {fault}" for fault in trial.faults]
            killed += trial.killed
            log(trial)
    return faults


def one_trial(
    name: str, number: int, after: float, folder: Path, forks: Forks, expected: Mapping[str, str]
) -> Trial:
    chosen = SIGNALS[number % len(SIGNALS)]
    victim = forks.call(Call(COMMANDS[name], str(folder), chosen, after))
    faults = broken(folder) + wrong_end(victim, chosen)
    records, epochs, lines = records_in(folder), epochs_in(folder), log_lines(folder)
    a_second_passes(folder)
    again = forks.call(Call(COMMANDS[name], str(folder)))
    done = name in ONCE and "name a new" in again.errors
    if again.code != 0 and not done:
        faults.append(f"the next call ends with {again.code}: {again.errors}")
    faults += broken(folder)
    found = files_in(folder)
    if set(found) != set(expected):
        faults.append(f"other files: {sorted(set(found) ^ set(expected))}")
    faults += [
        f"{path} is another"
        for path in found
        if expected.get(path) and found[path] != expected[path]
    ]
    now = records_in(folder)
    faults += [f"{path} is lost" for path in records if now.get(path) != records[path]]
    trained = len(re.findall(r"(?m)^epoch \d+/", "".join(log_lines(folder)[len(lines) :])))
    logged = len(re.findall(r"(?m)^epoch \d+/", "".join(lines)))
    if name in ("run", "suite") and (trained != EPOCHS - epochs or logged > epochs):
        faults.append(f"{logged} epochs were said to be done, {epochs} kept, {trained} repeated")
    return Trial(
        *(name, number, chosen.name, after, victim.killed, victim.code),
        *(victim.left, again.seconds, faults),
    )


def wrong_end(victim: Ended, chosen: signal.Signals) -> list[str]:
    """What is wrong with how it ended, beside what it leaves.

    Python loses an interrupt in a callback of the garbage collector, says so and goes on.
    """
    faults = []
    if victim.left >= END:
        faults.append("a process of it lives on")
    if not victim.killed and victim.code != 0:
        faults.append(f"it ended by itself with {victim.code}: {victim.errors}")
    ours = "Traceback" in victim.errors and "Exception ignored in" not in victim.errors
    if victim.killed and chosen == signal.SIGINT and ours:
        faults.append(f"a traceback after SIGINT: {victim.errors}")
    return faults


def start_over(folder: Path, drawn: Path | None) -> None:
    for name in PLACES:
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in ("tmp", "out"):
        (folder / name).mkdir()
    if drawn is not None:
        shutil.copytree(drawn, folder / "cache" / "streets", copy_function=os.link)


def a_second_passes(folder: Path) -> None:
    """Scratch folders are left alone in their first second, and forked calls are fast."""
    for held in folder.rglob(f"*/{HELD}"):
        about = held.parent.stat()
        os.utime(held.parent, (about.st_atime, about.st_mtime - SECOND))


def own_files(folder: Path) -> list[Path]:
    """What lies there, but for locks, which are empty, and frames that were drawn beforehand."""
    found = (path for name in PLACES for path in (folder / name).rglob("*"))
    others = {"locks", "v1-640x128x256"}
    return [path for path in found if path.is_file() and others.isdisjoint(path.parts)]


def broken(folder: Path) -> list[str]:
    """Files that are not whole, but for drafts."""
    faults = []
    for path in own_files(folder):
        if path.suffix in WHOLE and not drafted(path, folder):
            try:
                if path.suffix == ".zip":
                    shutil.unpack_archive(path, folder / "unpacked")
                else:
                    WHOLE[path.suffix](path)
            except Exception as error:
                faults.append(f"{path} is not whole: {error!r}")
    return faults


def drafted(path: Path, folder: Path) -> bool:
    """Drafts lie in folders whose names start with a dot."""
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def files_in(folder: Path) -> dict[str, str]:
    """A digest of each file by its name; records of one configuration have one name here.

    Where a call is killed after it wrote its record, the next one writes another.
    """
    return {
        re.sub(RECORD, r"TIME-\1", str(path.relative_to(folder))): digest(path)
        for path in own_files(folder)
    }


def digest(path: Path) -> str:
    """Of its content; of a record's, what does not depend on the time. A log has times only."""
    if path.name == "train.log":
        return ""
    content = path.read_bytes()
    if "results" in path.parts and path.suffix == ".json":
        record = json.loads(content)
        kept = {key: record[key] for key in ("config", "metrics", "per_class", "official")}
        content = json.dumps(kept).encode()
    return hashlib.sha256(content).hexdigest()


def records_in(folder: Path) -> dict[Path, str]:
    return {path: digest(path) for path in (folder / "results").glob("*/[!.]*.json")}


def epochs_in(folder: Path) -> int:
    """How many the state of a training has."""
    found = (folder / "out").rglob("state.pt")
    states = [path for path in found if not drafted(path, folder)]
    return max((len(torch.load(path, weights_only=True)["curve"]) for path in states), default=0)


def log_lines(folder: Path) -> list[str]:
    logs = (folder / "out").rglob("train.log")
    return [line for path in logs for line in path.read_text("utf-8").splitlines(keepends=True)]


def killed_before(name: str) -> dict[int, dict[str, Any]]:
    """The trials of a command that went well, by number."""
    if LOG is None or not Path(LOG).exists():
        return {}
    trials = [json.loads(line) for line in Path(LOG).read_text("utf-8").splitlines()]
    good = (each for each in trials if each["command"] == name and not each["faults"])
    return {each["trial"]: each for each in good}


def log(trial: Trial) -> None:
    if LOG is not None:
        with Path(LOG).open("a", encoding="utf-8") as file:
            file.write(json.dumps({**asdict(trial), "time": time.time()}) + "\n")
