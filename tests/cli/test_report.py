"""``segbench report`` of published records and of a tiny checkpoint."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from segbench.cli import main
from segbench.plugins import Registry
from segbench_plugins.commands.plugin import segbench_commands
from segbench_plugins.runtimes.pytorch.eager import segbench_runtimes
from tests.tiny import tiny_backbone, tiny_dataset, write_tiny

RECORDS = Path(__file__).parents[1] / "records"
RUN = RECORDS / "run" / "20261124T165555Z-509bfdfdce66.json"
KITTI = RECORDS / "run" / "20261124T164424Z-048666fd5103.json"
LATENCY = RECORDS / "latency" / "20261124T182705Z-08161077dab9.json"
REGISTRY = Registry.of(
    [tiny_backbone()], [tiny_dataset()], segbench_runtimes(), commands=segbench_commands()
)


def segbench(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [*map(str, arguments)], obj=REGISTRY)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tiny data, the record of a run and its checkpoint."""
    folder = tmp_path_factory.mktemp("trained")
    write_tiny(folder / "data")
    options = ("--backbone", "tiny", "--dataset", "tiny", "--weights", "none", "--epochs", "1")
    places = ("--data-root", folder / "data", "--results", folder / "results")
    done = segbench("run", *options, *places, "--output", folder / "out")
    assert done.exit_code == 0, done.output
    return folder


def test_the_record_of_a_run_as_a_page_and_as_pictures(tmp_path: Path) -> None:
    page, pictures = tmp_path / "new" / "report.html", tmp_path / "png"
    done = segbench("report", RUN, "--output", page, "--png", pictures)
    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == str(page)
    text = page.read_text()
    for heading in ("Learning curves", "Classes", "Confusion", "Best and worst frames"):
        assert f"<h2>{heading}</h2>" in text
    assert "0.5972 (0.5849 to 0.6073)" in text
    assert "Seq05VD_f02610" in text
    assert "With --checkpoint FILE, segbench report draws the frames too." in text
    names = {"learning-curves", "class-iou", "confusion"}
    assert {picture.stem for picture in pictures.iterdir()} == names
    assert text.count("<img alt=") == len(names)


def test_a_record_without_a_curve_and_with_another_measure(tmp_path: Path) -> None:
    record = json.loads(KITTI.read_text()) | {"curve": []}
    bare = tmp_path / "record.json"
    bare.write_text(json.dumps(record))
    shutil.copy(KITTI.with_suffix(".npz"), bare.with_suffix(".npz"))
    assert segbench("report", bare, "--output", tmp_path / "a.html").exit_code == 0
    text = (tmp_path / "a.html").read_text()
    assert "<dt>MaxF</dt><dd>0.9388</dd>" in text
    assert "Learning curves" not in text


def test_the_record_of_a_latency(tmp_path: Path) -> None:
    done = segbench("report", LATENCY, "--output", tmp_path / "a.html")
    assert done.exit_code == 0, done.output
    text = (tmp_path / "a.html").read_text()
    assert "21.89 ms" in text
    assert "INVALID: the median drifted +68% from the first third to the last." in text
    assert text.count("<img alt=") == 2


def test_the_record_of_an_offline_latency_says_what_a_sample_is(tmp_path: Path) -> None:
    record = json.loads(LATENCY.read_text())
    record["metrics"]["group"] = 12
    offline = tmp_path / "record.json"
    offline.write_text(json.dumps(record))
    shutil.copy(LATENCY.with_suffix(".npz"), offline.with_suffix(".npz"))
    done = segbench("report", offline, "--output", tmp_path / "a.html")
    assert done.exit_code == 0, done.output
    text = (tmp_path / "a.html").read_text()
    assert "samples, each the mean of 12 queries" in text
    assert "timed queries" not in text


def test_frames_of_a_record_are_drawn_with_its_checkpoint(trained: Path, tmp_path: Path) -> None:
    (record,) = (trained / "results" / "run").glob("*.json")
    options = ("--checkpoint", trained / "out" / "best.safetensors")
    data = ("--data-root", trained / "data")
    done = segbench(
        "report", record, "--output", tmp_path / "a.html", "--png", tmp_path, *options, *data
    )
    assert done.exit_code == 0, done.output
    assert (tmp_path / "worst-frames.png").exists()
    assert (tmp_path / "best-frames.png").exists()
    assert "Learning curves" in (tmp_path / "a.html").read_text()


def test_a_checkpoint_is_scored_and_drawn_and_leaves_no_record(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ("--data-root", trained / "data", "--split", "train", "--limit", "3")
    done = segbench("report", trained / "out", "--output", "a.html", *options)
    assert done.exit_code == 0, done.output
    text = Path("a.html").read_text()
    assert "<h1>FCN8s tiny on tiny train</h1>" in text
    assert "<dt>frames</dt><dd>3</dd>" in text
    assert text.count("<img alt=") == 2 + 3 * 3, "two figures, and three pictures a frame"
    assert "--checkpoint" not in text
    assert [path.name for path in tmp_path.iterdir()] == ["a.html"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((RUN, "--split", "val"), "are for checkpoints"),
        ((LATENCY, "--checkpoint", RUN), "A latency record has no frames to draw"),
        ((RUN.with_suffix(".npz"),), "is not a weights file"),
        ((RECORDS / "none.json",), "does not exist"),
        ((RECORDS,), "has no best.safetensors"),
        ((RUN, "--output", "a.txt"), "end it with .html"),
    ],
)
def test_what_cannot_be_drawn_is_said_in_a_sentence(
    arguments: tuple[str | Path, ...], why: str, tmp_path: Path
) -> None:
    output = () if "--output" in arguments else ("--output", tmp_path / "a.html")
    done = segbench("report", *arguments, *output)
    assert done.exit_code != 0
    assert why in done.output
    assert "Traceback" not in done.output
    assert not (tmp_path / "a.html").exists()


def test_a_report_replaces_neither_its_record_nor_its_checkpoint(
    trained: Path, tmp_path: Path
) -> None:
    record, checkpoint = tmp_path / "record.json", tmp_path / "best.safetensors"
    shutil.copy(RUN, record)
    shutil.copy(trained / "out" / "best.safetensors", checkpoint)
    for source, *more in (
        (record, "--output", record),
        (checkpoint, "--output", checkpoint),
        (record, "--checkpoint", checkpoint, "--output", checkpoint),
    ):
        done = segbench("report", source, *more)
        assert done.exit_code == 1
        assert "is what the report shows" in done.output
    assert record.read_bytes() == RUN.read_bytes()
    assert segbench("report", record, "--output", tmp_path).exit_code == 2


@pytest.mark.parametrize("option", ["--output", "--png"])
def test_a_place_that_cannot_be_written_to_is_said_before_the_work(
    trained: Path, tmp_path: Path, option: str
) -> None:
    (tmp_path / "file").touch()
    places = {"--output": tmp_path / "a.html"} | {option: tmp_path / "file" / "a.html"}
    asked = [part for place in places.items() for part in place]
    done = segbench("report", trained / "out" / "best.safetensors", *asked)
    assert done.exit_code == 1
    assert f"; name another {option}." in done.output
    assert not (tmp_path / "a.html").exists()


def test_the_checkpoint_of_another_record_is_refused(trained: Path, tmp_path: Path) -> None:
    (record,) = (trained / "results" / "run").glob("*.json")
    options = ("--checkpoint", trained / "out" / "last.safetensors")
    other = json.loads(record.read_text())
    other["config"]["checkpoint_sha256"] = "ab" * 32
    copy = tmp_path / "record.json"
    copy.write_text(json.dumps(other))
    shutil.copy(record.with_suffix(".npz"), copy.with_suffix(".npz"))
    done = segbench("report", copy, "--output", tmp_path / "a.html", *options)
    assert done.exit_code == 1
    assert "is not the checkpoint that" in done.output


@pytest.mark.parametrize("record", [RUN, LATENCY])
def test_damaged_arrays_are_a_sentence(tmp_path: Path, record: Path) -> None:
    copy = tmp_path / "record.json"
    shutil.copy(record, copy)
    whole = record.with_suffix(".npz").read_bytes()
    copy.with_suffix(".npz").write_bytes(whole[:200] + bytes(40) + whole[240:])
    done = segbench("report", copy, "--output", tmp_path / "a.html")
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit)
    assert f"The arrays {copy.with_suffix('.npz')} cannot be read" in done.output


def test_a_record_is_drawn_without_torch(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from segbench.cli import main\n"
        f"main(['report', {str(RUN)!r}, '--output', {str(tmp_path / 'a.html')!r}], "
        "standalone_mode=False)\n"
        "print(sorted({'torch', 'timm', 'matplotlib.pyplot'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
