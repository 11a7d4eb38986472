"""What is installed: the wheel, its entry points and extras, and the Dockerfiles."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from segbench.plugins import Registry
from segbench.types import Command, Tracker

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
DOCKERFILES = sorted((ROOT / "docker").glob("*.Dockerfile"))


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^\w-]", requirement)[0] for requirement in requirements}


def test_the_extra_of_an_item_installs_what_it_needs() -> None:
    registry = Registry.load()
    items = [each for each in (*registry.trackers, *registry.commands) if each.extra]
    assert {type(item) for item in items} == {Command, Tracker}
    for item in items:
        assert set(item.requires) <= names(EXTRAS[item.extra])


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_a_dockerfile_installs_extras_that_exist(path: Path) -> None:
    (extras,) = re.findall(r'"\./\[(.+)\]"', path.read_text(encoding="utf-8"))
    assert set(extras.split(",")) <= EXTRAS.keys()


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_a_dockerfile_keeps_the_rules_of_hadolint(path: Path) -> None:
    hadolint = shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("needs hadolint")
    done = subprocess.run([hadolint, str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_the_wheel_is_whole(tmp_path: Path) -> None:
    copy = tmp_path / "source"
    tracked = subprocess.run(
        ["git", "ls-files", "segbench", "plugins", "pyproject.toml", "README.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    for name in tracked:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes((ROOT / name).read_bytes())
    build = ("-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation")
    subprocess.run([sys.executable, *build, "-w", str(tmp_path), str(copy)], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
        (points,) = (name for name in held if name.endswith("entry_points.txt"))
        text = archive.read(points).decode()
    data = (".json", ".css", ".js", ".html", ".svg", "py.typed", "example.toml")
    modules = [name for name in tracked if name.endswith((".py", *data))]
    expected = {
        name.replace("plugins/", "segbench_plugins/", 1) if name.startswith("plugins/") else name
        for name in modules
    }
    assert expected <= held
    assert "segbench = segbench.cli:main" in text
    assert "streets = segbench_plugins.datasets.streets.plugin" in text
