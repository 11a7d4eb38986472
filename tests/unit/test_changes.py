"""What a resumed training says of the options that differ."""

from typing import Any

from segbench.training.changes import changes

BEGUN: dict[str, Any] = {
    "dataset": "streets",
    "data": "train 1, val 2",
    "recipe": "modern",
    "height": 128,
    "width": 256,
    "epochs": 13,
    "crop": None,
    "training": {
        "lr": 0.002,
        "encoder_lr_scale": 0.5,
        "class_weights": True,
        "schedule": "one-cycle",
    },
}


def test_each_option_that_differs_is_named_with_both_values() -> None:
    now = BEGUN | {
        "height": 64,
        "crop": "32x32",
        "training": {
            "lr": 0.5,
            "encoder_lr_scale": 0.2,
            "class_weights": False,
            "schedule": "poly",
        },
    }
    assert changes(BEGUN, now) == [
        "--class-weights was on, now off",
        "--crop was not set, now 32x32",
        "--encoder-lr-scale was 0.5, now 0.2",
        "--lr was 0.002, now 0.5",
        "schedule was one-cycle, now poly",
        "--size was 128x256, now 64x256",
    ]
    assert changes(BEGUN, BEGUN) == []


def test_another_recipe_stands_for_what_it_sets() -> None:
    now = BEGUN | {"recipe": "seed", "epochs": 100, "training": {"lr": 0.0005}}
    assert changes(BEGUN, now) == ["--recipe was modern, now seed"]
    assert changes(BEGUN, now | {"fine_tune": True}) == [
        "fine tune was not set, now on",
        "--recipe was modern, now seed",
    ]


def test_other_frames_have_no_option() -> None:
    assert changes(BEGUN, BEGUN | {"data": "train 1, val 3"}) == [
        "the frames of the dataset differ"
    ]
