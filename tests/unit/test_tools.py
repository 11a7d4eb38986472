"""The tools of the project: what make gpu walks through, and the ranking of tried recipes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tools.gpu import FULL, QUICK, steps
from tools.try_recipes import VARIANTS, ranked


@pytest.mark.slow
def test_make_gpu_walks_its_whole_script_on_a_cpu(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tools.gpu", "--device", "cpu", "--quick"]
    done = subprocess.run(
        [*command, "--output", str(tmp_path)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    summary = (tmp_path / "summary.txt").read_text().splitlines()
    assert [line.split()[:2] for line in summary] == [
        [name, "ok"] for name in steps("cpu", QUICK, "none", tmp_path)
    ]
    assert len(list(tmp_path.glob("results/latency/*.json"))) == 4
    assert json.loads((tmp_path / "speed-mobilenet.json").read_text())["images_per_s"] > 0


def test_one_step_of_it_can_be_named_and_a_failure_is_said(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tools.gpu", "--step", "leaderboard"]
    done = subprocess.run(
        [*command, "--output", str(tmp_path)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert (tmp_path / "summary.txt").read_text().startswith("leaderboard          failed (1)")
    assert "There is no record in" in (tmp_path / "leaderboard.log").read_text()


def test_the_full_script_has_the_steps_of_the_quick_one_for_each_backbone(tmp_path: Path) -> None:
    full, quick = (steps("cuda", scale, "none", tmp_path) for scale in (FULL, QUICK))
    assert {name for name in full if "vgg16" not in name} == set(quick)


def test_tried_recipes_are_ranked_by_the_mean_of_their_last_epochs(tmp_path: Path) -> None:
    for number, (variant, score) in enumerate([("ema", 0.5), ("before", 0.6), ("ema", 0.8)]):
        (tmp_path / str(number)).mkdir()
        curve = [{"val_miou": 0.9}, {"val_miou": score}]
        tried = {"variant": variant, "curve": curve}
        (tmp_path / str(number) / "tried.json").write_text(json.dumps(tried))
    assert list(ranked(tmp_path).items()) == [("ema", [0.5, 0.8]), ("before", [0.6])]
    assert {"ema", "before"} <= VARIANTS.keys()
