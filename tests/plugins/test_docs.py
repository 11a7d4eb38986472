"""The plugins that docs/plugins.md teaches are written to disk, found, and pass their tests."""

import importlib.util
import inspect
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import PIL.Image
import pytest
import torch
from click.testing import CliRunner

from segbench import hookspecs
from segbench.cli import main
from segbench.plugins import HOOKS, Registry, listing
from segbench.records.record import read_record

PAGE = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r'^```\w+ title="(.+?)"\n(.*?)^```$', PAGE, re.MULTILINE | re.DOTALL))


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The documented distribution on the import path, as ``pip install`` would leave it."""
    root = tmp_path_factory.mktemp("site")
    for title, code in {**FILES, "segbench_scenes/__init__.py": ""}.items():
        path = root / title
        path.parent.mkdir(exist_ok=True)
        path.write_text(code, encoding="utf-8")
    project = tomllib.loads(FILES["pyproject.toml"])["project"]
    points = [f"{name} = {module}" for name, module in project["entry-points"]["segbench"].items()]
    info = root / "segbench_scenes-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n")
    (info / "entry_points.txt").write_text("\n".join(["[segbench]", *points]))
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.syspath_prepend(root)
        yield root
    for name in [name for name in sys.modules if name.startswith("segbench_scenes")]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def its_tests(installed: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("scenes", installed / "tests/test_contract.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_documented_plugins_are_listed_as_usable(installed: Path) -> None:
    lines = [
        (line.kind, line.name, line.version, line.status)
        for line in listing(Registry.load())
        if line.distribution == "segbench-scenes"
    ]
    assert lines == [
        ("backbone", "resnet18", "1.0", "usable"),
        ("command", "frames", "1.0", "usable"),
        ("dataset", "drives", "1.0", "usable"),
        ("model format", "pt2", "1.0", "usable"),
        ("network", "strided", "1.0", "usable"),
        ("runtime", "eager-fp64", "1.0", "usable"),
        ("tracker", "lines", "1.0", "usable"),
    ]


def test_the_documented_backbone_passes_its_test(its_tests: ModuleType) -> None:
    its_tests.test_backbone()


def test_the_documented_dataset_passes_its_test(its_tests: ModuleType, tmp_path: Path) -> None:
    its_tests.test_dataset(tmp_path)


def test_the_documented_format_passes_its_test(its_tests: ModuleType, tmp_path: Path) -> None:
    its_tests.test_model_format(tmp_path)


def test_a_file_of_the_documented_format_is_scored(installed: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = torch.nn.Conv2d(3, 3, 1)
    program = torch.export.export(network, (torch.zeros(1, 3, 32, 64),))
    torch.export.save(program, tmp_path / "net.pt2")
    folder = tmp_path / "drives"
    for split in ("train", "val"):
        (folder / split).mkdir(parents=True)
        image = PIL.Image.effect_noise((64, 32), 80)
        image.convert("RGB").save(folder / split / f"{split}-1.jpg")
        image.point(lambda level: level % 3).save(folder / split / f"{split}-1.png")
    model = ["--model", str(tmp_path / "net.pt2"), "--dataset", "drives"]
    results = ["--data-root", str(tmp_path), "--results", str(tmp_path / "results")]
    done = CliRunner().invoke(main, ["evaluate", *model, *results, "--device", "cpu"])
    assert done.exit_code == 0, done.output
    (path,) = tmp_path.glob("results/evaluate/*.json")
    record = read_record(path)
    assert (record.config["network"], record.config["runtime"]) == ("net.pt2", "eager")
    assert record.provenance["plugins"]["pt2"] == "segbench-scenes 1.0"


def test_the_documented_network_passes_its_test(its_tests: ModuleType) -> None:
    its_tests.test_network()


def test_the_documented_runtime_passes_its_test(its_tests: ModuleType) -> None:
    its_tests.test_runtime()


def test_the_documented_tracker_passes_its_test(its_tests: ModuleType) -> None:
    its_tests.test_tracker()


def test_the_documented_command_passes_its_test(its_tests: ModuleType) -> None:
    its_tests.test_command()


def test_the_documented_command_lists_frames(installed: Path, tmp_path: Path) -> None:
    for split in ("train", "val"):
        (tmp_path / "drives" / split).mkdir(parents=True)
        (tmp_path / "drives" / split / f"{split}-1.jpg").touch()
    listed = CliRunner().invoke(main, ["frames", "drives", "--data-root", str(tmp_path)])
    assert listed.output == "val-1\n"


def test_every_hook_has_a_heading_with_its_signature_and_an_example() -> None:
    hooks = {name: hook for name, hook in vars(hookspecs).items() if name in HOOKS}
    declared = {name for name, f in vars(hookspecs).items() if hasattr(f, "segbench_spec")}
    assert declared == HOOKS.keys() == hooks.keys()
    signatures = {f"{name}{inspect.signature(hook)}" for name, hook in hooks.items()}
    headings = set(re.findall(r"^## `(.+)`$", PAGE, re.MULTILINE))
    assert headings == {re.sub(r"collections\.abc\.|'", "", text) for text in signatures}
    for name in hooks:
        assert any(f"@hookimpl\ndef {name}():" in code for code in FILES.values())


def test_a_backbone_takes_about_thirty_lines() -> None:
    assert len(FILES["segbench_scenes/resnet18.py"].splitlines()) <= 32


def test_a_network_takes_about_thirty_lines() -> None:
    assert len(FILES["segbench_scenes/strided.py"].splitlines()) <= 32


def test_the_layout_on_the_page_is_that_of_the_files() -> None:
    assert all(title in PAGE.split("```")[1] for title in FILES)
