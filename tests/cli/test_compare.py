"""``segbench compare`` on the records that the project publishes, and on what is none."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from segbench.analysis import difference
from segbench.cli import main
from segbench.records.record import Record, write_record
from segbench_plugins.commands.compare import records
from segbench_plugins.commands.compare.leaderboards import (
    Leaderboard,
    leaderboard_of,
    match_scores,
)
from segbench_plugins.commands.compare.print_records import values
from segbench_plugins.commands.compare.records import Setting
from tests.board import scored

RECORDS = Path(__file__).parents[1] / "records"
EAGER = RECORDS / "run" / "20261124T165555Z-509bfdfdce66.json"
INT8 = RECORDS / "evaluate" / "20261124T182333Z-23ab97ef5c7e.json"
FP32 = RECORDS / "evaluate" / "20261124T171940Z-ab186ea4fa73.json"
LATENCY = RECORDS / "latency" / "20261124T182705Z-fbec14d36d8e.json"
FASTER = RECORDS / "latency" / "20261124T182705Z-81ff62ba8c66.json"


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
    assert "Measured separately" not in done.output


def test_a_record_and_itself() -> None:
    done = segbench(LATENCY, LATENCY)
    assert "B takes 1.000 times as long as A: within noise" in done.output
    assert "The same configuration." in done.output
    assert "The same environment." in done.output


def test_two_results_folders(tmp_path: Path) -> None:
    written = tmp_path / "board.csv"
    options = ("--results", str(RECORDS), "--format", "csv", "--output", str(written))
    assert CliRunner().invoke(main, ["leaderboard", *options]).exit_code == 0
    lines = written.read_text().splitlines(keepends=True)
    written.write_text("".join(line for line in lines if "vgg16" not in line))
    done = segbench(RECORDS, written)
    assert done.exit_code == 0, done.output
    assert "miou of camvid test" in done.output
    assert "+0.0000" in done.output
    assert "Only in A: FCN8s VGG16 eager 360x480" in done.output
    assert "Only in B" not in done.output


CONFIG = {"backbone": "tiny", "height": 2, "width": 4, "dataset": "tiny", "split": "val"}
GOOD = [[4, 0, 0], [0, 4, 0]]
POOR = [[4, 0, 0], [2, 2, 0]]


def write_score(results: Path, *matrices: Any, name: str = "miou", **config: Any) -> Path:
    """A run that scored each matrix of the classes road and sky as a frame."""
    ids = [f"f{number}" for number in range(len(matrices))]
    metrics = {"score": 0.5, "score_name": name, "frames": len(ids)}
    per_class = {"iou": {"road": 0.5, "sky": 0.5}}
    record = Record("run", CONFIG | config, metrics, {}, per_class)
    arrays = {"confusion": np.array(matrices, np.int64), "frames": np.array(ids)}
    return write_record(record, results, arrays)


def write_latency(results: Path, seconds: float, **config: Any) -> None:
    query = {"scope": "model", "scenario": "single-stream", "batch_size": 1, "threads": 2}
    metrics = {"p50_ms": 1e3 * seconds, "verdict": "VALID"}
    record = Record("latency", CONFIG | query | config, metrics, {"cpu": "CPU"})
    arrays = {"seconds": np.full(12, seconds), "block": np.repeat(np.arange(6), 2)}
    write_record(record, results, arrays)


def lines_of(output: str) -> list[str]:
    return [" ".join(line.split()) for line in output.splitlines()]


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """The network eager got better and faster, onnx was trained again to no effect."""
    a, b = tmp_path / "a", tmp_path / "b"
    for results, eager, rate in ((a, POOR, 0.1), (b, GOOD, 0.2)):
        training = {"training": {"lr": rate}}
        write_score(results, *[eager] * 6, runtime="eager", **training)
        wobbly = [GOOD, POOR] * 3 if results == a else [POOR, GOOD] * 3
        write_score(results, *wobbly, runtime="onnx", **training)
    write_latency(a, 0.004, runtime="eager", training={"lr": 0.1})
    write_latency(b, 0.002, runtime="eager", training={"lr": 0.2}, source="long words " * 9)
    return a, b


def test_rows_of_two_folders_are_compared_as_their_records_are(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    done = segbench(*folders)
    assert done.exit_code == 0, done.output
    lines = lines_of(done.output)
    assert "FCN8s tiny eager 2x4 0.5833 1.0000 +0.4167 +0.4167 to +0.4167 more than" in lines
    assert "Classes, more than noise, of FCN8s tiny eager 2x4: road +0.3333, sky +0.5000." in lines
    (onnx,) = (line for line in lines if line.startswith("FCN8s tiny onnx 2x4 "))
    assert onnx.endswith("within")
    assert "Classes, more than noise, of tiny onnx" not in done.output
    assert "Only in A" not in done.output


def test_latencies_of_two_folders_have_intervals_and_say_once_what_holds_of_all(
    tmp_path: Path,
) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    for runtime in ("eager", "onnx"):
        write_latency(a, 0.004, runtime=runtime)
        write_latency(b, 0.002 if runtime == "eager" else 0.004, runtime=runtime)
    lines = lines_of(segbench(a, b).output)
    assert "FCN8s tiny eager 2x4 4.00 2.00 0.500 0.500 to 0.500 more than" in lines
    assert "FCN8s tiny onnx 2x4 4.00 4.00 1.000 1.000 to 1.000 within" in lines
    assert sum("Measured separately" in line for line in lines) == 1


def test_settings_are_said_once_where_they_differ_alike(folders: tuple[Path, Path]) -> None:
    lines = lines_of(segbench(*folders).output)
    assert lines.count("training.lr 0.1 0.2") == 1
    assert "Latencies of FCN8s tiny eager 2x4 differ in source." in lines
    assert not any(line.startswith("Scores of") for line in lines)


def test_without_an_interval_nothing_is_said_of_noise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(difference, "bootstrap_miou", lambda *_: None)
    monkeypatch.setattr(records, "bootstrap_iou", lambda *_: [None, None])
    a, b = tmp_path / "a", tmp_path / "b"
    paths = write_score(a, POOR, runtime="eager"), write_score(b, GOOD, runtime="eager")
    done = segbench(*paths)
    assert (
        "mIoU over 1 frame: a difference of +0.4167; too few frames for an interval." in done.output
    )
    assert "road 0.6667 1.0000 +0.3333 - no interval" in lines_of(done.output)
    assert "noise" not in done.output
    done = segbench(a, b)
    assert "FCN8s tiny eager 2x4 0.5833 1.0000 +0.4167 - no interval" in lines_of(done.output)
    assert "noise" not in done.output


def test_a_measure_without_an_interval_has_mean_iou_beside_it(tmp_path: Path) -> None:
    for results in ("a", "b"):
        write_score(tmp_path / results, GOOD, POOR, GOOD, name="MaxF", runtime="eager")
    lines = lines_of(segbench(tmp_path / "a", tmp_path / "b").output)
    assert "FCN8s tiny eager 2x4 0.5000 0.5000 +0.0000 - no interval" in lines
    (miou,) = (line for line in lines if line.startswith("FCN8s tiny eager 0.8"))
    assert "+0.0000 to +0.0000 within" in miou


def test_the_score_of_prediction_files_has_no_size(tmp_path: Path) -> None:
    config = {"network": "theirs", "runtime": "external", "dataset": "tiny", "split": "val"}
    per_class = {"iou": {"road": 0.5, "sky": 0.5}}
    record = Record("external", config, {"score": 0.5, "score_name": "miou"}, {}, per_class)
    arrays = {"confusion": np.array([GOOD, POOR]), "frames": np.array(["f0", "f1"])}
    theirs = write_record(record, tmp_path, arrays)
    done = segbench(write_score(tmp_path, GOOD, POOR, runtime="eager"), theirs)
    assert done.exit_code == 0, done.output
    assert "theirs on tiny val, external\n" in done.output


def test_int8_scores_of_two_kinds_of_device_are_not_mixed_up() -> None:
    def board(*kinds: str) -> Leaderboard:
        score = scored(0.6, "a", kind="evaluate", runtime="onnx-int8")
        origins = (score.provenance | {"extensions": [kind]} for kind in kinds)
        return leaderboard_of([replace(score, provenance=origin) for origin in origins])

    def pairs(a: Leaderboard, b: Leaderboard) -> list[tuple[str, str]]:
        found = match_scores(a.rows, b.rows).pairs
        return sorted((x["score_holds_on"], y["score_holds_on"]) for x, y in found)

    both, other = board("AVX2", "AVX-512"), board("AVX-512", "AVX2")
    avx512, avx2 = "A Processor, AVX-512", "A Processor, AVX2"
    assert pairs(both, other) == [(avx512, avx512), (avx2, avx2)]
    assert pairs(board("AVX2"), board("AVX-512")) == [(avx2, avx512)]


def test_rows_whose_records_cannot_be_compared_keep_their_figures(
    folders: tuple[Path, Path],
) -> None:
    for arrays in (folders[1] / "run").glob("*.npz"):
        arrays.unlink()
    done = segbench(*folders)
    assert done.exit_code == 0, done.output
    assert "FCN8s tiny eager 2x4 0.5000 0.5000 +0.0000" in lines_of(done.output)
    assert "cannot be read" in done.output


def test_long_values_are_whole_where_only_their_ends_differ(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    weights = "mobilenetv2_100.imagenet.safetensors@" + "7ca7b51c6eee" * 4
    paths = [
        write_score(tmp_path, GOOD, GOOD, runtime="eager", weights=weights + end) for end in "ab"
    ]
    lines = segbench(*paths).output.splitlines()
    (start,) = (number for number, line in enumerate(lines) if line.startswith("weights "))
    table = [line.removeprefix("weights").split() for line in lines[start : start + 4]]
    folded = [cells for cells in table if len(cells) == 2]
    assert ["".join(column) for column in zip(*folded, strict=True)] == [
        weights + "a",
        weights + "b",
    ]


def test_of_long_lists_what_differs_is_shown(tmp_path: Path) -> None:
    frames = [f"frame_{number:06}" for number in range(100)]
    other = [*frames[:98], "one", "two", "three", "four"]
    paths = [
        write_score(tmp_path, GOOD, GOOD, runtime="eager", used=used) for used in (frames, other)
    ]
    output = segbench(*paths).output
    assert "frame_000099" in output
    assert "frame_000097" not in output
    assert values(Setting("used", frames, other)) == (
        "100 entries, only here frame_000098, frame_000099",
        "102 entries, only here one, two, three, …",
    )
    assert values(Setting("used", frames, frames[::-1])) == ("100 entries in another order",) * 2
    assert values(Setting("used", None, frames)) == (
        "-",
        "100 entries: frame_000000, frame_000001, frame_000002, …",
    )
    assert values(Setting("used", [0.5, 2.0], [1])) == ("[0.5, 2.0]", "[1]")


@pytest.mark.parametrize(
    ("a", "b", "why"),
    [
        (EAGER, LATENCY, "compare two scores"),
        (EAGER, RECORDS, "two records or two leaderboards"),
        (RECORDS, RECORDS / "run", "There is no record in"),
        (EAGER, RECORDS / "run" / "none.json", "does not exist"),
        (EAGER, EAGER.with_suffix(".npz"), "is not a record, which is a .json file"),
    ],
)
def test_what_cannot_be_compared_is_said_in_a_sentence(a: Path, b: Path, why: str) -> None:
    done = segbench(a, b)
    assert done.exit_code != 0
    assert why in done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize("column", ["crop", "record", "score"])
def test_a_leaderboard_without_a_column_is_refused(tmp_path: Path, column: str) -> None:
    written = tmp_path / "board.json"
    options = ("--results", str(RECORDS), "--format", "json", "--output", str(written))
    assert CliRunner().invoke(main, ["leaderboard", *options]).exit_code == 0
    rows = json.loads(written.read_text())
    written.write_text(json.dumps([{k: v for k, v in row.items() if k != column} for row in rows]))
    done = segbench(written, written)
    assert done.exit_code == 1
    assert f"column '{column}' is missing" in done.output


def test_arrays_that_are_gone_are_named(tmp_path: Path) -> None:
    alone = tmp_path / EAGER.name
    alone.write_bytes(EAGER.read_bytes())
    done = segbench(EAGER, alone)
    assert done.exit_code == 1
    assert f"The arrays {alone.with_suffix('.npz')} cannot be read" in done.output


@pytest.mark.parametrize("record", [EAGER, LATENCY])
def test_damaged_arrays_are_a_sentence(tmp_path: Path, record: Path) -> None:
    copy = tmp_path / record.name
    copy.write_bytes(record.read_bytes())
    whole = record.with_suffix(".npz").read_bytes()
    rng = np.random.default_rng(0)
    for start in rng.integers(0, len(whole) - 40, 12):
        damaged = whole[:start] + rng.bytes(40) + whole[start + 40 :]
        copy.with_suffix(".npz").write_bytes(damaged)
        done = segbench(record, copy)
        assert "Traceback" not in done.output
        assert done.exception is None or isinstance(done.exception, SystemExit)
        assert done.exit_code == 0 or f"The arrays {copy.with_suffix('.npz')}" in done.output


def test_torch_is_not_imported() -> None:
    code = (
        "import sys\n"
        "from segbench.cli import main\n"
        f"main(['compare', {str(EAGER)!r}, {str(FP32)!r}], standalone_mode=False)\n"
        "print(sorted({'torch', 'pandas', 'timm', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
