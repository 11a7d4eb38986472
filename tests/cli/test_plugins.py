"""``segbench plugins``."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
from click.testing import CliRunner

from segbench.cli import main
from segbench.plugins import Origin, Plugin, Registry, listing
from segbench.types import Runtime
from segbench_plugins.runtimes.pytorch import compile
from segbench_plugins.runtimes.tensorrt import plugin as tensorrt

REGISTRY = Registry(
    (
        Plugin(
            "acme:fast",
            Origin("acme", "3.1"),
            (
                Runtime("quick", "Quick", open=print),  # type: ignore
                Runtime("tide", "Tide", open=print, lacking=lambda: "Find a moon."),  # type: ignore
                Runtime("void", "Void", open=print, lacking=lambda: 1 / 0),  # type: ignore
                Runtime("warp", "Warp", open=print, requires=("dilithium[cuda]",)),  # type: ignore
            ),
        ),
        Plugin("evil:slow", Origin("evil", "6.66"), error="ImportError: no [module] here"),
    )
)


def test_the_table_lists_all_and_says_what_mends_the_unusable() -> None:
    result = CliRunner().invoke(main, ["plugins"], obj=REGISTRY)
    assert result.exit_code == 0
    table, _, problems = result.output.rpartition("┘")
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in table.splitlines()]
    assert ["runtime", "quick", "acme", "3.1", "usable"] in rows
    for name in ("tide", "void", "warp"):
        assert ["runtime", name, "acme", "3.1", "unusable"] in rows
    assert ["plugin", "evil:slow", "evil", "6.66", "broken"] in rows
    machine, fault, needs, broken = problems.strip().splitlines()
    assert machine == "Find a moon."
    assert "'void' cannot say what it lacks here (ZeroDivisionError: division by zero)" in fault
    assert needs.endswith("pip install dilithium[cuda]")
    assert "evil:slow" in broken
    assert "ImportError: no [module] here" in broken


def test_json_has_the_same_lines() -> None:
    result = CliRunner().invoke(main, ["plugins", "--json"], obj=REGISTRY)
    lines = json.loads(result.output)
    assert [(line["name"], line["status"]) for line in lines] == [
        ("quick", "usable"),
        ("tide", "unusable"),
        ("void", "unusable"),
        ("warp", "unusable"),
        ("evil:slow", "broken"),
    ]
    assert lines[0]["problem"] is None


def test_a_runtime_that_this_machine_cannot_run_stays_on_offer() -> None:
    assert REGISTRY.runtime("tide").name == "tide"


@pytest.mark.parametrize("driver", [False, True])
def test_what_a_built_in_runtime_lacks_is_said(
    monkeypatch: pytest.MonkeyPatch, driver: bool
) -> None:
    runtimes = [*compile.segbench_runtimes(), *tensorrt.segbench_runtimes()]
    registry = Registry.of(runtimes=[replace(each, requires=()) for each in runtimes])
    monkeypatch.setattr("shutil.which", lambda _: None)
    for plugin in (compile, tensorrt):
        monkeypatch.setattr(plugin, "nvidia_driver_is_here", lambda: driver)
    problems = [line.problem or "" for line in listing(registry)]
    said = ["" if driver else "install g++"] + 3 * ["" if driver else "segbench export"]
    assert all(part in problem for part, problem in zip(said, problems, strict=True))
    assert all(bool(problem) is not driver for problem in problems)


@pytest.mark.parametrize("arguments", [["--help"], ["plugins"]])
def test_torch_is_not_imported(arguments: list[str]) -> None:
    code = (
        "import sys; from segbench.cli import main; main(sys.argv[1:], standalone_mode=False); "
        "assert not {'torch', 'torchvision', 'timm', 'pandas', 'onnx'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True)
