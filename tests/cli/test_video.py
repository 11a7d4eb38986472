"""``segbench video``: what comes out has the frames, times, size and rotation of what went in."""

import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import PIL.Image
import pytest
import torch
from av.stream import Disposition
from click.testing import CliRunner, Result

from segbench.cli import main
from segbench.inference.checkpoint import save_checkpoint
from segbench.inference.opened import load_and_open
from segbench.plugins import Registry, item
from segbench.progress import Reporter
from segbench.types import InputConvention
from segbench_plugins.backbones.mobilenet import segbench_backbones
from segbench_plugins.commands.plugin import segbench_commands
from segbench_plugins.commands.video import stages as video_stages
from segbench_plugins.commands.video.command import VideoOptions
from segbench_plugins.commands.video.read import Still, orientation_of
from segbench_plugins.runtimes.pytorch.eager import segbench_runtimes
from tests.commands import unless_given
from tests.tiny import PALETTE, TinyEncoder, fcn8s_over, tiny_backbone, tiny_dataset
from tests.videos import QUARTER_TURN, pictures, read_video, write_video

REGISTRY = Registry.of(
    [tiny_backbone()], [tiny_dataset()], segbench_runtimes(), commands=segbench_commands()
)
SIZE = (64, 96)


def segbench(*arguments: object) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)), obj=REGISTRY)


def video(*arguments: object) -> Result:
    usual = {"--checkpoint": "c.safetensors", "--output": "out.mp4", "--device": "cpu"}
    return segbench("video", *unless_given(usual, arguments), *arguments)


def write_checkpoint(encoder: torch.nn.Module, backbone: str, dataset: str) -> None:
    """Random weights that see several classes."""
    model = fcn8s_over(encoder, 11, InputConvention(), name=backbone)
    for layer in (model.net.score8, model.net.score16, model.net.score32):
        torch.nn.init.normal_(layer.weight)
    config = {"dataset": dataset, "height": 32, "width": 64}
    save_checkpoint(Path("c.safetensors"), model, config)


def write_pictures(folder: Path, count: int, size: tuple[int, int] = SIZE) -> None:
    folder.mkdir()
    for number, picture in enumerate(pictures(count, size)):
        PIL.Image.fromarray(picture).save(folder / f"{number}.png")


@pytest.fixture(autouse=True)
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    write_checkpoint(TinyEncoder(), backbone="tiny", dataset="tiny")


@pytest.mark.parametrize(
    ("size", "rate", "matrix"),
    [
        (SIZE, Fraction(25), None),
        (SIZE, Fraction(30000, 1001), QUARTER_TURN),
        ((63, 95), Fraction(12), None),
        ((63, 96), Fraction(12), QUARTER_TURN),
    ],
)
def test_frames_rate_size_and_rotation_are_kept(
    size: tuple[int, int], rate: Fraction, matrix: tuple[int, ...] | None
) -> None:
    result = video(write_video(Path("in.mp4"), 12, size, rate, matrix=matrix))
    assert result.exit_code == 0, result.output
    seen = read_video(Path("out.mp4"))
    assert (len(seen.images), seen.size, seen.rate, seen.matrix) == (12, size, rate, matrix)
    assert seen.times == pytest.approx([float(n / rate) for n in range(12)], abs=1e-4)
    assert "12 frames" in result.output
    assert "frames/s with eager, PyTorch eager FP32 on cpu" in result.output
    assert all(stage in result.output for stage in ("decode", "network", "draw", "encode"))


def test_frames_keep_their_times_where_these_are_uneven() -> None:
    times = [0, 1, 2, 5, 6, 9]
    assert video(write_video(Path("in.mp4"), 6, SIZE, times=times)).exit_code == 0
    assert read_video(Path("out.mp4")).times == pytest.approx([n / 25 for n in times], abs=1e-3)


def test_start_and_max_frames() -> None:
    write_video(Path("in.mp4"), 12, SIZE)
    result = video("in.mp4", "--start", "0.2", "--max-frames", "3", "--opacity", "0")
    assert result.exit_code == 0, result.output
    images = read_video(Path("out.mp4")).images
    expected = pictures(12, SIZE)[5:8]
    assert len(images) == 3
    for image, picture in zip(images, expected, strict=True):
        assert np.abs(image[40:].astype(int) - picture[40:]).mean() < 4


def test_a_folder_of_frames() -> None:
    write_pictures(Path("in"), 12, (63, 95))
    assert video("in", "--fps", "29.97").exit_code == 0
    seen = read_video(Path("out.mp4"))
    assert (len(seen.images), seen.size, seen.rate) == (12, (63, 95), Fraction(2997, 100))
    assert [image[-1, -1, 0] for image in seen.images] == sorted(
        image[-1, -1, 0] for image in seen.images
    )


class Kept:
    """A writer that keeps what it is given."""

    def write(self, stored: np.ndarray, time: int, duration: int) -> None:
        self.stored = stored


@pytest.mark.parametrize("matrix", [None, QUARTER_TURN])
def test_a_frame_is_drawn_as_predict_draws_it(matrix: tuple[int, ...] | None) -> None:
    PIL.Image.fromarray(pictures(2, (96, 144))[1]).save("in.png")
    image = np.array(PIL.Image.open("in.png"))
    options = ("--checkpoint", "c.safetensors", "--output", "out", "--device", "cpu")
    assert segbench("predict", "in.png", *options).exit_code == 0
    predicted = np.array(PIL.Image.open("out/in.png"))[:96]
    orientation, kept = orientation_of(matrix), Kept()
    (runtime, *_) = (r for r in segbench_runtimes() if r.name == "eager")
    chosen = VideoOptions(
        checkpoint=Path("c.safetensors"),
        runtime=runtime,
        device="cpu",
        input=Path("in.png"),
        output=Path("out.mp4"),
    )
    predictor = load_and_open(chosen, REGISTRY, Reporter(quiet=True))
    result = Still(image, 0, 1)
    for work in video_stages.stages(predictor, orientation, kept, 0.5, "eager").values():
        result = work(result)
    drawn = orientation.upright(kept.stored)
    assert (drawn[48:] == predicted[48:]).all()
    assert (drawn[:48] != predicted[:48]).any(), "the corner has the rate"


def test_a_written_video_decoded_again_has_predicts_overlay_below_the_caption() -> None:
    write_pictures(Path("in"), 4, (96, 144))
    options = ("--checkpoint", "c.safetensors", "--output", "out", "--device", "cpu")
    assert segbench("predict", "in", *options).exit_code == 0
    assert video("in", "--fps", "4").exit_code == 0
    decoded = [image[48:].astype(int) for image in read_video(Path("out.mp4")).images]
    drawn = [np.array(PIL.Image.open(f"out/{number}.png"))[48:96] for number in range(4)]
    for image, predicted in zip(decoded, drawn, strict=True):
        assert np.abs(image - predicted).mean() < 3
    assert np.abs(decoded[0] - drawn[1]).mean() > 6


def test_colours_are_those_of_the_palette_once_decoded() -> None:
    write_video(Path("in.mp4"), 3, SIZE)
    assert video("in.mp4", "--opacity", "1").exit_code == 0
    image = read_video(Path("out.mp4")).images[1][40:]
    distance = np.abs(image[:, :, None].astype(int) - np.array(PALETTE)).max(-1).min(-1)
    assert np.median(distance) <= 4


def test_a_video_that_is_cut_off_is_drawn_as_far_as_it_goes() -> None:
    path = write_video(Path("in.mp4"), 100, SIZE, options={"movflags": "faststart"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    result = video("in.mp4")
    assert result.exit_code == 1, result.output
    assert "in.mp4 is" in result.output
    assert "cut" in result.output
    assert 20 < len(read_video(Path("out.mp4")).images) < 95


def test_a_folder_with_a_broken_frame_is_drawn_up_to_it() -> None:
    write_pictures(Path("in"), 5)
    Path("in/2.png").write_bytes(b"no picture")
    result = video("in", "--fps", "5")
    assert result.exit_code == 1
    assert "out.mp4: 2 frames" in result.output
    assert "The video ends before in/2.png" in result.output
    assert len(read_video(Path("out.mp4")).images) == 2


def sound(path: Path, cover: bool = False) -> None:
    with av.open(path, "w") as container:
        stream = container.add_stream("aac", rate=44100)
        if cover:
            picture = container.add_stream("mjpeg", rate=1)
            picture.height, picture.width, picture.pix_fmt = 32, 32, "yuvj420p"
            picture.disposition = Disposition.attached_pic
            image = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8))
            container.mux(picture.encode(image))
            container.mux(picture.encode(None))
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["gone.mp4"], "gone.mp4 does not exist"),
        (["sound.mp4"], "sound.mp4 has no video stream"),
        (["cover.mp4"], "cover.mp4 has no video stream"),
        (["c.safetensors"], "c.safetensors cannot be read as a video"),
        (["in.mp4", "--fps", "9"], "leave --fps out"),
        (["in.mp4", "--start", "9"], "no frame at or after --start 9 s"),
        (["in.mp4", "--output", "out.avi"], "is not an .mp4 file"),
        (["in.mp4", "--output", "in.mp4"], "is the input"),
        (["in.mp4", "--output", "in.mp4/out.mp4"], "cannot be written to"),
        (["folder"], "give --fps"),
        (["folder", "--fps", "0"], "'0'"),
        (["folder", "--fps", "5"], "holds no pictures"),
        (["in.mp4", "--keep-float", "x"], "--keep-float needs an INT8"),
    ],
)
def test_refusals(arguments: list[str], sentence: str) -> None:
    write_video(Path("in.mp4"), 5)
    sound(Path("sound.mp4"))
    sound(Path("cover.mp4"), cover=True)
    Path("folder").mkdir()
    before = set(Path().rglob("*"))
    result = video(*arguments)
    assert result.exit_code != 0
    assert sentence in result.output
    assert "Traceback" not in result.output
    assert set(Path().rglob("*")) == before


def test_what_to_install_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "REGISTRY", Registry.load())
    found = item.installed_version
    monkeypatch.setattr(
        item, "installed_version", lambda name: None if name == "av" else found(name)
    )
    result = video("in.mp4")
    assert result.exit_code == 1
    assert 'pip install "segbench[video]"' in result.output


def test_a_stage_that_fails_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(video_stages, "overlay", fail)
    write_video(Path("in.mp4"), 50)
    result = video("in.mp4", "--output", "o/out.mp4")
    assert isinstance(result.exception, ZeroDivisionError)
    assert list(Path("o").iterdir()) == []


@pytest.mark.slow
def test_an_interrupt_leaves_a_video_that_can_be_played() -> None:
    mobilenet = next(iter(segbench_backbones()))
    encoder = mobilenet.build(InputConvention())
    write_checkpoint(encoder, backbone="mobilenet", dataset="camvid")
    write_video(Path("in.mp4"), 2000, SIZE)
    options = ("--checkpoint", "c.safetensors", "--output", "out.mp4", "--device", "cpu")
    victim = subprocess.Popen(
        [sys.executable, "-m", "segbench", "video", "in.mp4", *options],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    wait_for_a_frame(victim)
    victim.send_signal(signal.SIGINT)
    output, errors = victim.communicate(timeout=240)
    assert victim.returncode == 1, errors
    frames = len(read_video(Path("out.mp4")).images)
    assert 0 < frames < 2000
    assert f"Interrupted: out.mp4 ends after {frames} frames." in errors
    assert f"{frames} frames, " in output
    assert "Traceback" not in errors


def wait_for_a_frame(process: subprocess.Popen) -> None:
    """The draft grows as frames are encoded."""
    deadline = time.monotonic() + 240
    while not any(draft.stat().st_size for draft in Path().glob(".out.mp4.*/out.mp4")):
        assert process.poll() is None, process.stderr and process.stderr.read()
        assert time.monotonic() < deadline, "no frame was written"
        time.sleep(0.05)


def test_a_colon_in_a_name_is_no_protocol() -> None:
    write_video(Path("drive:1.mp4").absolute(), 3)
    result = segbench(
        "video", "drive:1.mp4", "--checkpoint", "c.safetensors", "--output", "seen:1.mp4"
    )
    assert result.exit_code == 0, result.output
    assert len(read_video(Path("seen:1.mp4").absolute()).images) == 3


def test_a_fifo_does_not_hang() -> None:
    os.mkfifo("fifo.mp4")
    result = video("fifo.mp4")
    assert result.exit_code == 1
    assert "neither a file nor a folder" in result.output
