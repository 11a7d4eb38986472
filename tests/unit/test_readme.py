"""The README shows what the committed records say, and names only commands that exist."""

import re
from pathlib import Path

import click
import numpy as np
import PIL.Image
import pytest

from segbench.cli import main
from segbench.leaderboard.rank import leaderboard
from segbench.plugins import Registry
from segbench.records.record import read_records
from tools import make_results

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_what_shows_the_records_is_made_from_them() -> None:
    records, problems = read_records(ROOT / "results")
    assert problems == []
    for name, text in make_results.texts(records).items():
        shown = (ROOT / name).read_text(encoding="utf-8")
        assert shown == text, f"{name} is out of date: make results"


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


def test_the_readme_ranks_the_newest_row_of_each_backbone_and_runtime() -> None:
    records, _ = read_records(ROOT / "results")
    for rows in make_results.face_of(leaderboard(records)).values():
        ranks = [row["rank"] for row in rows]
        assert ranks == [1 + sum(other < rank for other in ranks) for rank in ranks]
        assert len({(row["backbone"], row["runtime"]) for row in rows}) == len(rows)


def test_no_committed_record_is_dirty() -> None:
    records, _ = read_records(ROOT / "results")
    assert [r.path for r in records if r.provenance["dirty"] or not r.provenance["commit"]] == []


COMMANDS = re.findall(r"^\$ segbench (.+)$", README, flags=re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_and_options_exist(command: str) -> None:
    here: click.Command = main
    for word in command.split():
        if isinstance(here, click.Group):
            here = here.commands[word]
        elif word.startswith("--"):
            assert any(word in option.opts for option in here.params), f"{word} of {command}"
