"""The tools of the project: what make gpu walks through, and the ranking of tried recipes."""

import json
import subprocess
import sys
from math import log
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from segbench.errors import SegbenchError
from segbench.types import IGNORED, Frame
from segbench_plugins.datasets.streets import plugin as streets
from tools.gpu import FULL, QUICK, run, steps
from tools.try_recipes import (
    VARIANTS,
    main,
    of_the_hardest,
    ranked,
    smoothed,
    try_variant,
    without,
)


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


def test_a_step_that_takes_too_long_is_interrupted(tmp_path: Path) -> None:
    asleep = [sys.executable, "-c", "import time; time.sleep(600)"]
    assert run(asleep, tmp_path / "log", seconds=0.1) == "stopped"


def test_tried_recipes_are_ranked_by_the_mean_of_their_last_epochs(tmp_path: Path) -> None:
    for number, (variant, score) in enumerate([("ema", 0.5), ("before", 0.6), ("ema", 0.8)]):
        (tmp_path / str(number)).mkdir()
        curve = [{"val_miou": 0.9}, {"val_miou": score}]
        tried = {"variant": variant, "curve": curve}
        (tmp_path / str(number) / "tried.json").write_text(json.dumps(tried))
    assert list(ranked(tmp_path).items()) == [("ema", [0.5, 0.8]), ("before", [0.6])]
    assert {"ema", "before"} <= VARIANTS.keys()


def test_a_recipe_to_try_needs_a_name() -> None:
    result = CliRunner().invoke(main, [])
    assert result.exit_code == 2
    assert "Give --variant" in result.output


def test_a_drive_is_held_out_of_training_and_every_second_frame_of_it_validates() -> None:
    frames = [Frame(name, Path(name)) for name in ("a1", "b1", "b2", "a2", "b3", "b4")]
    splits = without("b", frames)
    assert [frame.id for frame in splits["train"]] == ["a1", "a2"]
    assert [frame.id for frame in splits["val"]] == ["b2", "b4"]
    with pytest.raises(SegbenchError, match="--held-out c: 0 of 6 training frames"):
        without("c", frames)


def test_ohem_is_the_mean_loss_of_the_hardest_quarter_of_the_labelled_pixels() -> None:
    chances = torch.tensor([0.9, 0.2, 0.8, 0.7, 0.1])
    logits = torch.stack([chances.log(), (1 - chances).log()])[None, :, None]
    labels = torch.tensor([[[0, 0, 0, 0, IGNORED]]])
    assert of_the_hardest(logits, labels).item() == pytest.approx(-log(0.2), rel=1e-5)


def test_label_smoothing_spreads_a_tenth_of_the_target_over_all_classes() -> None:
    chances = torch.tensor([0.7, 0.2, 0.1])
    labels = torch.tensor([[[0, IGNORED]]])
    logits = chances.log().view(1, 3, 1, 1).expand(1, 3, 1, 2)
    expected = -0.9 * log(0.7) - 0.1 / 3 * (log(0.7) + log(0.2) + log(0.1))
    assert smoothed(logits, labels).item() == pytest.approx(expected, rel=1e-5)


def test_a_variant_with_another_loss_trains_and_leaves_its_curve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streets, "FRAMES", 16)
    given = {"weights": "none", "seed": 0, "data_root": tmp_path, "device": "cpu", "limit": 2}
    given |= {"variant": "auxiliary", "backbone": "mobilenet", "dataset": "streets", "epochs": 1}
    try_variant(output=tmp_path / "tried", **given)
    tried = json.loads((tmp_path / "tried/tried.json").read_text())
    assert tried["variant"] == "auxiliary"
    assert tried["curve"][0]["train_loss"] > 1.5 * log(19)  # two auxiliary losses weigh 0.8
