"""The documentation builds, links to what exists, and its commands and examples run."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import numpy as np
import PIL.Image
import pytest
import yaml
from click.testing import CliRunner

import segbench
from segbench.cli import main
from segbench_plugins.datasets.streets.__main__ import make_streets
from tools.cli_reference import commands, reference

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = {path: path.read_text(encoding="utf-8") for path in PAGES}
COMMANDS = sorted(
    {
        found
        for text in TEXTS.values()
        for found in re.findall(r"^\$ (?:\w+=\S+ )*segbench (.+)$", text, re.MULTILINE)
    }
)
TAKES_NO_TIME = ("plugins", "leaderboard", "data check --dataset cityscapes")


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    quiet = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(build, cwd=ROOT, env=quiet, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "cli.html").read_text(encoding="utf-8")
    assert "segbench data check" in page


def test_every_page_is_in_the_navigation() -> None:
    config = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert [p.name for p in (ROOT / "docs").glob("*.md") if f": {p.name}\n" not in config] == []


def test_every_command_and_option_is_in_the_reference() -> None:
    sections = dict(re.findall(r"^## (segbench .+?)\n(.*?)(?=^## |\Z)", reference(), re.M | re.S))
    context = click.Context(main)
    found = list(commands(main, context))
    assert len(found) >= len(main.list_commands(context))
    for name, command, _ in found:
        section = sections[f"segbench {name}"]
        names = [opt for option in command.params for opt in (*option.opts, *option.secondary_opts)]
        assert [n for n in names if n.startswith("--") and n not in section] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_between_files_lead_somewhere(path: Path) -> None:
    links = re.findall(
        r"\]\(([^)#]+?)(?:#[^)]*)?\)", re.sub(r"```.*?```", "", TEXTS[path], flags=re.S)
    )
    local = [link for link in links if not re.match(r"\w+:", link)]
    assert [link for link in local if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_and_options_exist(command: str) -> None:
    here: click.Command | None = main
    for word in shlex.split(command):
        assert here is not None, command
        if isinstance(here, click.Group):
            here = here.get_command(click.Context(here), word)
        elif word.startswith("--"):
            assert any(word in (*each.opts, *each.secondary_opts) for each in here.params), (
                f"{word} of {command}"
            )


def test_commands_that_take_no_time_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("results", "mine"):
        (tmp_path / name).symlink_to(ROOT / "results")
    quick = [c for start in TAKES_NO_TIME for c in COMMANDS if c.startswith(start)]
    (drawing,) = re.findall(
        r"^\$ python -m segbench_plugins.datasets.streets (.+)$",
        TEXTS[ROOT / "docs/your-data.md"],
        re.MULTILINE,
    )
    assert CliRunner().invoke(make_streets, shlex.split(drawing)).exit_code == 0
    for command in quick:
        ran = CliRunner().invoke(main, shlex.split(command), catch_exceptions=False)
        assert ran.exit_code == 0, f"{command}: {ran.output}"
    assert len(quick) >= 4
    assert (tmp_path / "leaderboard.html").is_file()


def test_the_python_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records, scores, network = re.findall(
        r"^```python\n(.*?)^```$", TEXTS[ROOT / "docs/python-api.md"], re.M | re.S
    )
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results").symlink_to(ROOT / "results")
    assert not _run(records)["rows"].empty
    (tables,) = re.findall(r"^```python\n(.*?)^```$", TEXTS[ROOT / "docs/records.md"], re.M | re.S)
    assert len(_run(tables)["samples"]) > 0
    assert _run(scores)["matrix"].tolist() == [[1, 1, 0, 0], [0, 2, 0, 0], [0, 0, 1, 0]]

    from segbench.inference.checkpoint import save_checkpoint
    from segbench.inference.networks import fcn8s_on
    from segbench.networks.model import SegmentationModel
    from segbench.plugins import Registry

    backbone = Registry.load().backbone("mobilenet")
    model = SegmentationModel(fcn8s_on(backbone), 3)
    (tmp_path / "runs/first").mkdir(parents=True)
    config = {"backbone": "mobilenet", "dataset": "streets", "height": 64, "width": 96}
    save_checkpoint(tmp_path / "runs/first/best.safetensors", model, config)
    PIL.Image.fromarray(np.zeros((50, 80, 3), np.uint8)).save("picture.png")
    assert _run(network)["class_map"].shape == (50, 80)


def test_the_examples_on_scores_and_records_import_no_torch() -> None:
    text = TEXTS[ROOT / "docs/python-api.md"]
    imports = re.findall(
        r"^(?:from|import) segbench.*$", text[: text.index("## A checkpoint")], re.MULTILINE
    )
    code = "\n".join([*imports, "import sys", "sys.exit('torch' in sys.modules)"])
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == segbench.__version__
    assert citation["license"] == "MIT"


def test_the_workflow_runs_what_a_submission_must_pass() -> None:
    text = (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    (job,) = yaml.safe_load(text)["jobs"].values()
    assert job["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]
    assert ".ci/run" in [step.get("run") for step in job["steps"]]


def _run(code: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    exec(code, found)
    return found
