"""The README shows what the committed records say, and names only commands that exist."""

import re
from pathlib import Path

import click
import pytest

from segbench.cli import main
from segbench.leaderboard import leaderboard
from segbench.leaderboard_formats import as_csv, as_markdown
from segbench.records import read_records

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_leaderboard_is_made_from_the_records() -> None:
    records, problems = read_records(ROOT / "results")
    assert problems == []
    tables = leaderboard(records)
    shown = README.split("<!-- /leaderboard -->")[0].split("checked by the tests -->")[1]
    assert shown.strip() == as_markdown(tables).strip()
    assert (ROOT / "results/leaderboard.md").read_text(encoding="utf-8") == as_markdown(tables)
    assert (ROOT / "results/leaderboard.csv").read_text(encoding="utf-8") == as_csv(tables)


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
