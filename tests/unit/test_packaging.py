"""The wheel holds the harness and the plugins, and names the entry points."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


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
    modules = [
        name
        for name in tracked
        if name.endswith((".py", ".json", ".css", ".js", "py.typed", "example.toml"))
    ]
    expected = {
        name.replace("plugins/", "segbench_plugins/", 1) if name.startswith("plugins/") else name
        for name in modules
    }
    assert expected <= held
    assert "segbench = segbench.cli:main" in text
    assert "streets = segbench_plugins.datasets.streets.plugin" in text
