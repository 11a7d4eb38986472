"""``segbench plugins``."""

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from segbench.cli import main
from segbench.plugins import Origin, Plugin, Registry
from segbench.types import Runtime

REGISTRY = Registry(
    (
        Plugin(
            "acme:fast",
            Origin("acme", "3.1"),
            (
                Runtime("quick", "Quick", open=print),  # type: ignore
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
    assert ["runtime", "warp", "acme", "3.1", "unusable"] in rows
    assert ["plugin", "evil:slow", "evil", "6.66", "broken"] in rows
    needs, broken = problems.strip().splitlines()
    assert needs.endswith("pip install dilithium[cuda]")
    assert "evil:slow" in broken
    assert "ImportError: no [module] here" in broken


def test_json_has_the_same_lines() -> None:
    result = CliRunner().invoke(main, ["plugins", "--json"], obj=REGISTRY)
    lines = json.loads(result.output)
    assert [(line["name"], line["status"]) for line in lines] == [
        ("quick", "usable"),
        ("warp", "unusable"),
        ("evil:slow", "broken"),
    ]
    assert lines[0]["problem"] is None


@pytest.mark.parametrize("arguments", [["--help"], ["plugins"]])
def test_torch_is_not_imported(arguments: list[str]) -> None:
    code = (
        "import sys; from segbench.cli import main; main(sys.argv[1:], standalone_mode=False); "
        "assert not {'torch', 'torchvision', 'timm', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True)
