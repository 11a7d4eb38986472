"""``segbench data check`` as a user sees it: what it prints and how it exits."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from click.testing import CliRunner, Result

from segbench.cli import main
from segbench.plugins import Registry
from segbench_plugins.commands.plugin import segbench_commands
from segbench_plugins.datasets.camvid import plugin as camvid
from tests.commands import unless_given

REGISTRY = Registry.of(datasets=camvid.segbench_datasets(), commands=segbench_commands())


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["data", "check", *map(str, arguments)], obj=REGISTRY)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data root with a CamVid of one frame a split."""
    for split in ("train", "val", "test"):
        for place, shape in ((split, (6, 8, 3)), (f"{split}annot", (6, 8))):
            folder = tmp_path / "camvid" / place
            folder.mkdir(parents=True)
            PIL.Image.fromarray(np.zeros(shape, np.uint8)).save(folder / f"{split}_1.png")
    return tmp_path


def test_a_whole_data_set_exits_with_0(root: Path) -> None:
    result = run("--dataset", "camvid", "--data-root", root)
    assert result.exit_code == 0, result.output
    assert "No problems found." in result.output
    assert "6x8 (3)" in result.output


def test_faults_are_named_and_exit_with_1(root: Path) -> None:
    (root / "camvid/testannot/test_1.png").unlink()
    (root / "camvid/train/train_1.png").write_bytes(b"no picture")
    result = run("--dataset", "camvid", "--data-root", root)
    assert result.exit_code == 1
    assert "testannot/test_1.png is missing." in result.output
    assert "train/train_1.png cannot be decoded" in result.output
    assert run("--dataset", "camvid", "--data-root", root, "--split", "val").exit_code == 0


def test_the_root_may_come_from_the_environment(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGBENCH_DATA", str(root))
    assert run("--dataset", "camvid").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--dataset", "camvidd"], "Did you mean 'camvid'?"),
        (["--dataset", "camvid", "--data-root", "nowhere"], "looked for trainannot/"),
        (["--dataset", "camvid", "--split", "tset"], "Did you mean 'test'?"),
    ],
)
def test_bad_input_is_one_sentence_and_no_traceback(
    root: Path, arguments: list[str], expected: str
) -> None:
    result = run(*unless_given({"--data-root": root}, arguments), *arguments)
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert expected in " ".join(result.output.split())
    assert "Traceback" not in result.output


def test_an_unknown_split_is_one_sentence(root: Path) -> None:
    result = run("--dataset", "camvid", "--data-root", root, "--split", "tesst")
    assert result.exit_code == 1
    assert "Did you mean 'test'?" in result.output
    assert "frames" not in result.output


def test_skipped_files_are_said(root: Path) -> None:
    (root / "camvid/train/other.jp2").touch()
    result = run("--dataset", "camvid", "--data-root", root)
    assert result.exit_code == 0
    assert "Skipped 1 file: other.jp2" in result.output
