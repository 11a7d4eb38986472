"""Whole runs in processes of their own: start-up, a kill at any moment, an interrupt."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from segbench.records.record import Record, write_record

pytestmark = pytest.mark.slow

TRAIN = ("run", "--backbone", "mobilenet", "--dataset", "camvid", "--weights", "none")
SMALL = ("--size", "32x64", "--limit", "6", "--batch-size", "2", "--precision", "fp32")


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "segbench", *arguments]


def environment(root: Path, **more: str) -> dict[str, str]:
    return os.environ | {"SEGBENCH_DATA": str(root), "OMP_NUM_THREADS": "1"} | more


@pytest.mark.parametrize("arguments", [["--help"], ["plugins"], ["leaderboard"]])
def test_start_up_imports_no_torch(arguments: list[str], tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from segbench.cli import main\n"
        f"main({arguments!r}, standalone_mode=False)\n"
        "assert 'torch' not in sys.modules, 'torch was imported'\n"
    )
    write_record(a_record(), tmp_path / "results")
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr


def a_record() -> Record:
    config = {"dataset": "d", "backbone": "b", "runtime": "eager", "height": 1, "width": 1}
    return Record("run", config, {"score": 0.5, "score_name": "miou"}, {"commit": None})


def test_a_killed_run_goes_on_and_ends_with_the_same_weights(
    data_root: Path, tmp_path: Path
) -> None:
    options = (*TRAIN, *SMALL, "--epochs", "4")
    env = environment(data_root)
    subprocess.run(
        command(*options, "--output", "whole", "--results", "other"),
        cwd=tmp_path,
        env=env,
        check=True,
    )
    victim = subprocess.Popen(command(*options, "--output", "halves"), cwd=tmp_path, env=env)
    state = tmp_path / "halves" / "state.pt"
    wait_for(state, victim)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    subprocess.run(
        command(*options, "--output", "halves", "--resume"),
        cwd=tmp_path,
        env=env,
        check=True,
    )
    one, other = (load_file(tmp_path / run / "last.safetensors") for run in ("whole", "halves"))
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_an_interrupt_says_how_to_go_on(data_root: Path, tmp_path: Path) -> None:
    victim = subprocess.Popen(
        command(*TRAIN, *SMALL, "--epochs", "500", "--output", "out"),
        cwd=tmp_path,
        env=environment(data_root),
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    )
    wait_for(tmp_path / "out" / "state.pt", victim)
    victim.send_signal(signal.SIGINT)
    _, errors = victim.communicate(timeout=240)
    assert victim.returncode == 1
    assert "--resume --output out" in errors
    assert "Traceback" not in errors


def heed_interrupts() -> None:
    """A shell's background job, such as these tests may be, is born deaf to SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_for(path: Path, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 120
    while not path.exists():
        assert process.poll() is None, "the run ended before its first epoch"
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.05)
