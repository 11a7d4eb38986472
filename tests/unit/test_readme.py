"""The README shows what the committed records say, on one screen."""

import re
from pathlib import Path

import numpy as np
import PIL.Image

from segbench.analysis.rank import leaderboard
from segbench.plugins import Registry
from segbench.records.record import read_records
from tools import make_results
from tools.readme_table import newest, readme_table

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_what_shows_the_records_is_made_from_them() -> None:
    records, problems = read_records(ROOT / "results")
    assert problems == []
    for name, text in make_results.texts(records).items():
        shown = (ROOT / name).read_text(encoding="utf-8")
        assert shown == text, f"{name} is out of date: make tables"


def test_the_readmes_picture_is_a_street() -> None:
    with PIL.Image.open(make_results.STREET) as picture:
        found = np.asarray(picture, dtype=float)
    assert np.abs(found - make_results.street()).mean() < 2, "another Pillow draws edges otherwise"


def test_the_readmes_street_names_the_classes_that_are_coloured() -> None:
    dataset = Registry.load().dataset("streets")
    below = {tuple(color) for color in make_results.street()[384:].reshape(-1, 3)}
    named = {
        name for name, color in zip(dataset.classes, dataset.palette, strict=True) if color in below
    }
    assert {"road", "car"} <= named
    assert not {"truck", "rider", "motorcycle"} & named, "only in the half without colours"


def test_the_readmes_table_has_each_networks_best_checkpoint_on_every_runtime() -> None:
    records, _ = read_records(ROOT / "results")
    tables = leaderboard(records)
    rows = make_results.headline(tables)
    (whole,) = (table for table in tables.values() if rows[0] in table)
    timed = [row for row in whole if row["rank"] and row["p50_ms"]]
    assert [row for row in whole if row in rows] == rows
    for row in rows:
        best = next(each for each in timed if each["network"] == row["network"])
        same = [
            each
            for each in timed
            if each["checkpoint_sha256"] == best["checkpoint_sha256"]
            and each["runtime"] == row["runtime"]
        ]
        valid = [each for each in same if each["verdict"] == "VALID"]
        assert row["record"] == max(each["record"] for each in valid or same)
    assert len({(row["network"], row["runtime"]) for row in rows}) == len(rows)


def test_the_readme_has_the_networks_and_runtimes_that_were_valid_together() -> None:
    records, _ = read_records(ROOT / "results")
    rows = make_results.valid(make_results.headline(leaderboard(records)))
    assert len({row["network"] for row in rows}) >= 6
    assert len({row["runtime"] for row in rows}) >= 5


ROW = {
    **dict.fromkeys(("train_splits", "query_threads", "miou_low", "miou_high", "seeds")),
    **dict.fromkeys(("query_scenario", "epoch", "crop")),
    "network": "ENet",
    "score": 0.5,
    "score_name": "miou",
    "dataset": "camvid",
    "split": "test",
    "frames": 233,
    "seed": 0,
    "height": 360,
    "width": 480,
    "epochs": 60,
    "query_scope": "model",
    "query_batch_size": 1,
    "verdict": "VALID",
    "device": "A Processor",
}


def test_a_line_of_the_readme_has_the_latency_on_each_runtime() -> None:
    enet = ROW | {"crop": "192x256", "seeds": 3, "seeds_mean": 0.48, "seeds_std": 0.01}
    rows = [
        enet | {"runtime": "onnx-int8", "p50_ms": 3.04, "score": 0.49},
        enet | {"runtime": "eager", "p50_ms": 9.96, "miou_low": 0.4, "miou_high": 0.6},
        ROW | {"network": "ERFNet", "runtime": "eager", "p50_ms": 20.0, "seed": 1, "epoch": 20},
        ROW | {"network": "SegNet", "runtime": "onnx-int8", "p50_ms": 5.0},
    ]
    assert readme_table(rows) == (
        "**camvid test**, 233 frames; input 360x480, timed as model, batch 1, verdict VALID; "
        "p50 in ms on\nA Processor\n\n"
        "| network | epochs | crop | mIoU | over seeds | eager | onnx-int8 |\n"
        "| :--- | ---: | :--- | ---: | ---: | ---: | ---: |\n"
        "| ENet | 60 | 192x256 | 0.5000 (0.4000 to 0.6000) | 0.4800 ± 0.0100 (3) | 10.0 | "
        "3.0 (0.490) |\n"
        "| ERFNet | 20 of 60 |  | 0.5000 |  | 20.0 |  |\n"
    )


def test_the_newest_latency_of_the_usual_query_is_shown() -> None:
    timed = ROW | {"rank": 1, "checkpoint_sha256": "a", "runtime": "eager"}
    slow, new, old = (
        timed | {"p50_ms": p50_ms, "latency_record": name}
        for p50_ms, name in ((9.0, "latency/1"), (3.0, "latency/3"), (4.0, "latency/2"))
    )
    whole = slow | {"query_scope": "end-to-end", "latency_record": "latency/4"}
    assert newest([new, old, slow, whole]) == [new]
    assert newest([new | {"verdict": "INVALID"}, old, slow, whole]) == [old]


def test_the_readme_fits_one_screen() -> None:
    assert len(README.splitlines()) <= 60
    assert README.count("](docs/pictures/") == 1
    assert len(re.findall(r"^\$ ", README, re.MULTILINE)) <= 5


def test_no_committed_record_is_dirty() -> None:
    records, _ = read_records(ROOT / "results")
    assert [r.path for r in records if r.provenance["dirty"] or not r.provenance["commit"]] == []
