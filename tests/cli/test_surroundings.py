"""Odd surroundings: terminals without Unicode, users without a home, damaged packages."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

WITHOUT_HOME = """
import os, pwd
def unknown(*_): raise KeyError("uid not found")
pwd.getpwuid = pwd.getpwnam = unknown
for name in ("HOME", "USER", "LOGNAME", "XDG_CACHE_HOME", "SEGBENCH_CACHE"):
    os.environ.pop(name, None)
from segbench.cli import main
"""


def segbench(*arguments: str, code: str | None = None, **environment: str) -> tuple[int, str]:
    """The exit code and what was printed, in the terminal's encoding."""
    command = ["-c", code + f"main({arguments!r})"] if code else ["-m", "segbench", *arguments]
    done = subprocess.run(
        [sys.executable, *command],
        capture_output=True,
        env=os.environ | environment,
        check=False,
    )
    output = (done.stdout + done.stderr).decode(environment.get("PYTHONIOENCODING", "utf-8"))
    assert "Traceback" not in output
    return done.returncode, output


def test_a_terminal_gets_question_marks_for_what_it_cannot_show() -> None:
    code, said = segbench("leaderboard", "--results", "街路", PYTHONIOENCODING="cp1252")
    assert code == 1
    assert "??" in said


def test_a_user_without_a_home_is_told_to_name_a_cache() -> None:
    code, said = segbench("data", "check", "--dataset", "streets", code=WITHOUT_HOME)
    assert code == 1
    assert "SEGBENCH_CACHE" in said


@pytest.mark.parametrize("file", ["METADATA", "entry_points.txt"])
def test_a_damaged_package_breaks_no_command(tmp_path: Path, file: str) -> None:
    damaged = tmp_path / "harmless-1.0.dist-info"
    damaged.mkdir()
    (damaged / file).write_bytes(b"\xff\xfe[no metadata\n= =\n")
    code, said = segbench("plugins", PYTHONPATH=str(tmp_path))
    assert code == 0
    assert "streets" in said
    assert ("harmless" in said) == (file == "entry_points.txt")
