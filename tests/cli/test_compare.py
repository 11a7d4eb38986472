"""``segbench compare`` on the records that the project publishes, and on what is none."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from segbench.cli import main

RESULTS = Path(__file__).parents[2] / "results"
EAGER = RESULTS / "run" / "20261124T165555Z-509bfdfdce66.json"
INT8 = RESULTS / "evaluate" / "20261124T182333Z-23ab97ef5c7e.json"
FP32 = RESULTS / "evaluate" / "20261124T171940Z-ab186ea4fa73.json"
LATENCY = RESULTS / "latency" / "20261124T182705Z-fbec14d36d8e.json"
FASTER = RESULTS / "latency" / "20261124T182705Z-81ff62ba8c66.json"


def segbench(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["compare", *map(str, arguments)])


def test_eager_and_int8_differ_by_more_than_noise() -> None:
    done = segbench(EAGER, INT8)
    assert done.exit_code == 0, done.output
    assert "mIoU over 233 frames: B is 0.0110 lower than A, more than noise" in done.output
    assert "Fence       0.3290  0.2996  -0.0294" in done.output
    assert "onnx-int8" in done.output
    assert "plugins.onnx-int8" in done.output
    assert "\x1b" not in done.output


def test_the_same_weights_on_another_engine_are_within_noise() -> None:
    done = segbench(EAGER, FP32)
    assert done.exit_code == 0, done.output
    assert "a difference of -0.0000 is within noise" in done.output


def test_two_latencies_of_one_session() -> None:
    done = segbench(LATENCY, FASTER)
    assert done.exit_code == 0, done.output
    assert "times as long as A, which is more than noise." in done.output
    assert "A is INVALID: the median drifted" in done.output
    assert "Measured apart" not in done.output


def test_a_record_and_itself() -> None:
    done = segbench(LATENCY, LATENCY)
    assert "B takes 1.000 times as long as A: within noise" in done.output
    assert "The same configuration." in done.output
    assert "The same environment." in done.output


def test_two_results_folders(tmp_path: Path) -> None:
    written = tmp_path / "board.csv"
    options = ("--results", str(RESULTS), "--format", "csv", "--output", str(written))
    assert CliRunner().invoke(main, ["leaderboard", *options]).exit_code == 0
    lines = written.read_text().splitlines(keepends=True)
    written.write_text("".join(line for line in lines if "vgg16" not in line))
    done = segbench(RESULTS, written)
    assert done.exit_code == 0, done.output
    assert "miou of camvid test" in done.output
    assert "+0.0000" in done.output
    assert "In A alone: vgg16 eager 360x480" in done.output
    assert "In B alone" not in done.output


@pytest.mark.parametrize(
    ("a", "b", "why"),
    [
        (EAGER, LATENCY, "compare two scores"),
        (EAGER, RESULTS, "two records or two leaderboards"),
        (RESULTS, RESULTS / "run", "There is no record in"),
        (EAGER, RESULTS / "run" / "none.json", "does not exist"),
        (EAGER, EAGER.with_suffix(".npz"), "is not a segbench record"),
    ],
)
def test_what_cannot_be_compared_is_said_in_a_sentence(a: Path, b: Path, why: str) -> None:
    done = segbench(a, b)
    assert done.exit_code != 0
    assert why in done.output
    assert "Traceback" not in done.output


def test_arrays_that_are_gone_are_named(tmp_path: Path) -> None:
    alone = tmp_path / EAGER.name
    alone.write_bytes(EAGER.read_bytes())
    done = segbench(EAGER, alone)
    assert done.exit_code == 1
    assert f"The arrays {alone.with_suffix('.npz')} cannot be read" in done.output


def test_torch_is_not_imported() -> None:
    code = (
        "import sys\n"
        "from segbench.cli import main\n"
        f"main(['compare', {str(EAGER)!r}, {str(FP32)!r}], standalone_mode=False)\n"
        "print(sorted({'torch', 'pandas', 'timm', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
