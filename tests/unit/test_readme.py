"""The README shows what the committed records say, on one screen."""

import re
from pathlib import Path

import numpy as np
import PIL.Image

from segbench.analysis.rank import leaderboard
from segbench.plugins import Registry
from segbench.records.record import read_records
from tools import make_results
from tools.readme_table import readme_table, unbeaten

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


def test_the_readme_begins_with_the_best_network_on_every_runtime_it_was_timed_on() -> None:
    records, _ = read_records(ROOT / "results")
    tables = leaderboard(records)
    rows = make_results.best_network(tables)
    valid = [
        row
        for table in tables.values()
        for row in table
        if row["rank"] and row["verdict"] == "VALID"
    ]
    assert max(row["score"] for row in rows) == max(row["score"] for row in valid)
    (sha,) = {row["checkpoint_sha256"] for row in rows}
    timed = {row["runtime"] for row in valid if row["checkpoint_sha256"] == sha}
    assert {row["runtime"] for row in rows} >= timed


def test_the_readmes_table_leaves_out_what_is_slower_and_no_better_on_the_same_network() -> None:
    rows = [
        {"network": network, "score": score, "p50_ms": ms}
        for network, score, ms in (
            ("a", 0.65004, 30.0),
            ("a", 0.65001, 60.0),
            ("a", 0.64, 20.0),
            ("b", 0.60, 40.0),
        )
    ]
    assert unbeaten(rows) == [rows[0], rows[2], rows[3]]


def test_what_is_constant_stands_above_the_readmes_table() -> None:
    records, _ = read_records(ROOT / "results")
    first, *_ = make_results.headline(leaderboard(records))
    fast = first | {"runtime": "fast", "p50_ms": 1.5, "speedup": 2.0, "file_mb": 3.25}
    above, table = readme_table([first | {"query_batch_size": 1}, fast]).split("\n\n")
    assert "batch 1" in above
    assert "batch" not in table
    low, high = (f"{first[f'speedup_{end}']:.2f}" for end in ("low", "high"))
    assert table.splitlines()[-1].endswith(f"| 1.50 | 2.00x [{low}, {high}] | 3.2 |")
    table = readme_table([first, fast | {"query_batch_size": 4}]).split("\n\n")[1]
    assert table.splitlines()[0].endswith("| MB | batch |")


def test_the_readme_fits_one_screen() -> None:
    assert len(README.splitlines()) <= 72
    assert README.count("](docs/pictures/") == 1
    assert len(re.findall(r"^\$ ", README, re.MULTILINE)) <= 5


def test_no_committed_record_is_dirty() -> None:
    records, _ = read_records(ROOT / "results")
    assert [r.path for r in records if r.provenance["dirty"] or not r.provenance["commit"]] == []
