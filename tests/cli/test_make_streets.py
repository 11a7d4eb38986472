"""Drawing streets by the command line: folders of drawn frames, and clear words when it cannot."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from segbench_plugins.datasets.streets.__main__ import make_streets as command
from segbench_plugins.datasets.streets.scene import draw_scene


def make_streets(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(command, list(arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


def test_it_draws_what_was_asked_for(tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, said = make_streets(str(out), "--frames", "3", "--size", "64x128", "--seed", "9")
    assert (code, said.splitlines()[-1]) == (0, f"3 frames in {out}")
    names = sorted(path.name for path in out.glob("leftImg8bit/*/streets/*"))
    assert names == [f"streets_000009_00000{n}_leftImg8bit.png" for n in range(3)]


def test_kitti_is_drawn_at_the_size_of_kitti(tmp_path: Path) -> None:
    import PIL.Image

    code, _ = make_streets(str(tmp_path / "out"), "--frames", "1", "--layout", "kitti")
    assert code == 0
    kind = draw_scene(0, 0, (64, 128)).kind
    with PIL.Image.open(tmp_path / "out" / "training" / "image_2" / f"{kind}_000000.png") as image:
        assert image.size == (1242, 375)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--frames", "0"], "--frames"),
        (["--size", "128"], "'128'"),
        (["--size", "32x64"], "too small; draw at least 64x128"),
        (["--seed", "-1"], "--seed"),
        (["--layout", "camvid"], "--layout"),
    ],
)
def test_bad_options_are_named(tmp_path: Path, arguments: list[str], words: str) -> None:
    code, said = make_streets(str(tmp_path / "out"), *arguments)
    assert code in (1, 2)
    assert words in said
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_not_empty_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    code, said = make_streets(str(tmp_path))
    assert code == 1
    assert "not empty" in said
