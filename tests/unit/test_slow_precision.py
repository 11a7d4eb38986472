"""What a CPU lacks for a precision is said before anything starts, and in the row."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from segbench import device
from segbench.cli import main
from segbench.plugins import Registry
from segbench.records import provenance
from segbench_plugins.commands.plugin import segbench_commands
from segbench_plugins.runtimes.pytorch.eager import segbench_runtimes
from tests.tiny import tiny_backbone, tiny_dataset, write_tiny

Lacking = Callable[..., None]


@pytest.fixture
def cpu_with(monkeypatch: pytest.MonkeyPatch) -> Lacking:
    """``cpu_with("AVX2")``: a CPU with these vector extensions."""

    def set_extensions(*extensions: str) -> None:
        for module in (device, provenance):
            monkeypatch.setattr(module, "cpu_extensions", lambda: extensions)
        monkeypatch.setattr(device, "cpu_has_bfloat16", lambda: "BF16" in extensions)

    return set_extensions


@pytest.mark.parametrize(
    ("extensions", "precision", "kind", "said"),
    [
        (("AVX2",), "bf16", "cpu", True),
        (("AVX2",), "fp32", "cpu", False),
        (("AVX2",), "bf16", "cuda", False),
        (("AVX2", "AVX-512", "BF16"), "bf16", "cpu", False),
        ((), "bf16", "cpu", False),
    ],
)
def test_bf16_that_is_emulated_is_said_with_what_the_cpu_lacks_and_has(
    extensions: tuple[str, ...], precision: str, kind: str, said: bool, cpu_with: Lacking
) -> None:
    cpu_with(*extensions)
    warning = device.slow_precision(precision, kind)
    assert (warning is not None) == said
    if warning:
        assert "no BF16 instructions" in warning
        assert "AVX2" in warning


def test_what_auto_takes_there_is_what_the_sentence_says(cpu_with: Lacking) -> None:
    cpu_with("AVX2")
    assert "FP32, which 'auto' would take" in (device.slow_precision("bf16", "cpu") or "")
    assert device.training_dtype("auto", torch.device("cpu")) == torch.float32
    cpu_with("AVX2", "AVX-512", "BF16")
    assert device.training_dtype("auto", torch.device("cpu")) == torch.bfloat16


@pytest.mark.parametrize(("extensions", "said"), [(("AVX2",), 1), (("AVX-512", "BF16"), 0)])
def test_each_command_says_it_before_it_works_and_the_row_notes_it(
    extensions: tuple[str, ...],
    said: int,
    cpu_with: Lacking,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def segbench(*words: str) -> str:
        result = CliRunner().invoke(main, words, obj=registry)
        assert result.exit_code == 0, result.output
        return result.output

    registry = Registry.of(
        [tiny_backbone()], [tiny_dataset()], segbench_runtimes(), commands=segbench_commands()
    )
    write_tiny(tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEGBENCH_DATA", raising=False)
    cpu_with(*extensions)
    warning, cpu = "This CPU has no BF16 instructions", ("--device", "cpu")
    new = ("--backbone", "tiny", "--weights", "none", "--epochs", "1", "--output", "out")
    trained = segbench("run", "--dataset", "tiny", *new, "--precision", "bf16", *cpu)
    assert trained.partition("epoch 1/1")[0].count(warning) == said
    trained_there = ("--checkpoint", "out", "--runtime", "eager-bf16")
    evaluated = segbench("evaluate", "--dataset", "tiny", *trained_there, *cpu)
    assert evaluated.partition("mean")[0].count(warning) == said
    measured = segbench("latency", *trained_there, "--min-seconds", "0.01", *cpu)
    before, _, table = measured.partition("p50")
    assert before.count(warning) == said
    assert table.count("BF16 is emulated") == said
    assert segbench("leaderboard").count("BF16 is emulated") == said
