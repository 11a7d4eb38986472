"""``segbench latency`` on a tiny network."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from segbench.checkpoint import save_checkpoint
from segbench.cli import main
from segbench.plugins import Registry
from segbench.records import read_arrays, read_record
from segbench.testing import TinyEncoder, tiny_network
from segbench.types import Backbone, Runtime

TINY = Backbone("tiny", "Three convolutions", build=lambda convention: TinyEncoder())


@pytest.fixture(scope="module")
def registry() -> Registry:
    eager = Registry.load().runtime("eager")
    again = Runtime("eager-again", "The same under another name", open=eager.open)
    return Registry.of(backbones=[TINY], runtimes=[eager, again])


def latency(registry: Registry, results: Path, *arguments: str) -> Result:
    command = ["latency", "--results", str(results), "--min-seconds", "0.05", *arguments]
    return CliRunner().invoke(main, [*command, "--device", "cpu"], obj=registry)


def test_a_fresh_network_is_timed_and_recorded(registry: Registry, tmp_path: Path) -> None:
    result = latency(registry, tmp_path, "--backbone", "tiny", "--size", "64x96")
    assert result.exit_code == 0, result.output
    [path] = (tmp_path / "latency").glob("*.json")
    record = read_record(path)
    assert record.config["backbone"] == "tiny"
    assert record.config["runtime"] == "eager"
    assert (record.config["height"], record.config["width"]) == (64, 96)
    assert record.config["scenario"] == "single-stream"
    assert record.metrics["min_ms"] <= record.metrics["p50_ms"]
    assert "PyTorch" in record.provenance["engine"]
    arrays = read_arrays(path)
    assert len(arrays["seconds"]) == len(arrays["block"]) == record.metrics["samples"]
    assert 1e3 * np.mean(arrays["seconds"]) == pytest.approx(record.metrics["mean_ms"])
    assert record.metrics["verdict"] in result.output
    assert path.name in result.output


def test_two_runtimes_share_one_session_and_have_a_record_each(
    registry: Registry, tmp_path: Path
) -> None:
    result = latency(
        registry, tmp_path, "--backbone", "tiny", "--runtime", "eager", "--runtime", "eager-again"
    )
    assert result.exit_code == 0, result.output
    records = [read_record(path) for path in (tmp_path / "latency").glob("*.json")]
    assert {record.config["runtime"] for record in records} == {"eager", "eager-again"}
    assert len({record.config["session"] for record in records}) == 1


def test_a_checkpoint_brings_its_size_and_its_hash(registry: Registry, tmp_path: Path) -> None:
    checkpoint = tmp_path / "best.safetensors"
    config = {"backbone": "tiny", "dataset": "camvid", "height": 32, "width": 64, "seed": 3}
    save_checkpoint(checkpoint, tiny_network(), config)
    result = latency(registry, tmp_path, "--checkpoint", str(checkpoint))
    assert result.exit_code == 0, result.output
    [path] = (tmp_path / "latency").glob("*.json")
    recorded = read_record(path).config
    assert (recorded["height"], recorded["width"]) == (32, 64)
    assert recorded["dataset"] == "camvid"
    assert len(recorded["checkpoint_sha256"]) == 64


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--runtime", "eagre"], "Did you mean 'eager'"),
        (["--backbone", "tin"], "Did you mean 'tiny'?"),
        (["--size", "0x64"], "is empty"),
        (["--batch-size", "0"], "--batch-size"),
        (["--checkpoint", "none.safetensors"], "none.safetensors"),
        (["--checkpoint", "a.safetensors", "--backbone", "tiny"], "leave --backbone"),
        (["--backbone", "tiny", "--device", "gpu"], "'gpu'"),
    ],
)
def test_bad_input_is_one_sentence(
    arguments: list[str], message: str, registry: Registry, tmp_path: Path
) -> None:
    command = ["latency", "--results", str(tmp_path), *arguments]
    result = CliRunner().invoke(main, command, obj=registry)
    assert result.exit_code in (1, 2)
    assert message in result.output
    assert isinstance(result.exception, SystemExit)
