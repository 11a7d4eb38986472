"""``segbench latency`` on a tiny network."""

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from segbench.cli import main
from segbench.errors import SegbenchError
from segbench.inference.checkpoint import save_checkpoint
from segbench.jobs import latency_record
from segbench.jobs.runtimes import named_runtimes
from segbench.latency import checks, steady
from segbench.latency.machine import Watch
from segbench.plugins import Registry
from segbench.records.arrays import read_arrays
from segbench.records.record import Record, read_record
from segbench.testing import TinyEncoder, tiny_network
from segbench.types import Backbone, Calibration, Peak, Runtime, Session, Setup
from segbench_plugins.commands.plugin import segbench_commands
from segbench_plugins.runtimes.pytorch import peak as pytorch
from tests.tiny import tiny_dataset, write_tiny

TINY = Backbone("tiny", "Three convolutions", build=lambda convention: TinyEncoder())
EAGER = Registry.load().runtime("eager")
DETAILS = {
    "quantization": {"frames": ["000"]},
    "int8_layers": ["score8"],
    "float_layers": ["score16"],
    "engine_was_cached": True,
}
CALIBRATION = Calibration("tiny train", ("000",), np.zeros((1, 64, 96, 3), np.uint8))


def raising(error: Exception) -> Callable[..., Session]:
    def fail(*_: object) -> Any:
        raise error

    return fail


def opened_with(**changes: object) -> Callable[[Any, Setup], Session]:
    """Eager, but for some attributes of the session."""

    def open_session(model: Any, setup: Setup) -> Session:
        session = EAGER.open(model, setup)
        for name, value in changes.items():
            setattr(session, name, value)
        return session

    return open_session


def calibrated(model: Any, setup: Setup) -> Session:
    assert setup.calibration is CALIBRATION
    return opened_with(details={"file_mb": 1.5, **DETAILS})(model, setup)


def negated(model: Any, setup: Setup) -> Session:
    session = EAGER.open(model, setup)
    return opened_with(run=lambda inputs: -session.run(inputs))(model, setup)


FULL = RuntimeError("CUDA out of memory. Tried to allocate 9 GiB")
INEXACT = {
    "arithmetic_error": 0.32,
    "arithmetic_agreement": 0.8,
    "doubts": ["its logits are 32% off"],
}
RUNTIMES = {
    "again": EAGER.open,
    "broken": raising(SegbenchError("The engine is broken; mend it.")),
    "bug": raising(ValueError("no such kernel\nand more")),
    "full": raising(FULL),
    "full-later": opened_with(run=raising(FULL)),
    "stopped": opened_with(run=raising(KeyboardInterrupt())),
    "inexact": opened_with(details=INEXACT),
    "negated": negated,
    "unfetched": opened_with(fetch=raising(ValueError("lost"))),
}


@pytest.fixture(scope="module")
def registry() -> Registry:
    others = [Runtime(name, "A stand-in", opened) for name, opened in RUNTIMES.items()]
    int8 = Runtime("int8", "Asks for frames", calibrated, calibrates=True)
    other = replace(TINY, name="second")
    return Registry.of(
        [TINY, other], [tiny_dataset()], [EAGER, int8, *others], commands=segbench_commands()
    )


@pytest.fixture(autouse=True)
def fast_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Peaks that no machine reaches, so that no latency is below its bound."""
    monkeypatch.setattr(pytorch, "torch_peak", lambda dtype, setup: Peak("FP32", 4, 1e15))
    monkeypatch.setattr(checks, "copy_rate", lambda device: 1e15)


def latency(registry: Registry, results: Path, *arguments: str) -> Result:
    command = ["latency", "--results", str(results), "--min-seconds", "0.05", *arguments]
    if "--checkpoint" not in command and "--backbone" not in command:
        command += ["--backbone", "tiny", "--size", "64x96"]
    return CliRunner().invoke(main, [*command, "--device", "cpu"], obj=registry)


def records(results: Path) -> dict[str, Record]:
    found = [read_record(path) for path in sorted((results / "latency").glob("*.json"))]
    return {record.config["runtime"]: record for record in found}


def test_what_a_session_doubts_makes_it_invalid(registry: Registry, tmp_path: Path) -> None:
    result = latency(registry, tmp_path, "--runtime", "inexact")
    assert result.exit_code == 0, result.output
    metrics = records(tmp_path)["inexact"].metrics
    assert (metrics["arithmetic_error"], metrics["arithmetic_agreement"]) == (0.32, 0.8)
    assert metrics["verdict"] == "INVALID"
    assert "its logits are 32% off" in metrics["reasons"]
    assert "inexact: its logits are 32% off" in result.output
    assert "32.00%" in result.output


def test_a_fresh_network_is_timed_and_recorded(registry: Registry, tmp_path: Path) -> None:
    result = latency(registry, tmp_path)
    assert result.exit_code == 0, result.output
    [record] = records(tmp_path).values()
    assert record.path is not None
    assert record.config["backbone"] == "tiny"
    assert record.config["runtime"] == "eager"
    assert (record.config["height"], record.config["width"]) == (64, 96)
    assert (record.config["scope"], record.config["scenario"]) == ("model", "single-stream")
    assert "PyTorch" in record.provenance["engine"]
    metrics = record.metrics
    assert metrics["min_ms"] <= metrics["p50_ms"]
    assert (metrics["agreement"], metrics["logit_error"]) == (1, 0)
    assert metrics["compared_on"] == "noise"
    assert not any("noise" in reason for reason in metrics["reasons"]), "the weights are fresh"
    assert metrics["peak_memory_mb"] > 100
    assert metrics["roofline_multiple"] == pytest.approx(metrics["p50_ms"] / metrics["bound_ms"])
    assert metrics["group"] == 1
    arrays = read_arrays(record.path)
    assert len(arrays["seconds"]) == len(arrays["block"]) == metrics["samples"]
    assert 1e3 * np.mean(arrays["seconds"]) == pytest.approx(metrics["mean_ms"])
    assert metrics["verdict"] in result.output
    assert metrics["bound_precision"] == "FP32"
    assert "roofline of eager: " in result.output
    assert record.path.name in result.output


def test_each_runtime_has_the_bound_of_its_own_precision(tmp_path: Path) -> None:
    def fails(setup: Setup) -> Peak:
        raise SegbenchError("The engine has no kernels.")

    peaks = {
        "fast": lambda setup: Peak("INT8", 1, 1e15),
        "slow": lambda setup: Peak("BF16", 2, 1.0),
        "none": fails,
    }
    runtimes = [Runtime(name, "A stand-in", EAGER.open, peak=peaks[name]) for name in peaks]
    registry = Registry.of(
        [TINY], [tiny_dataset()], [EAGER, *runtimes], commands=segbench_commands()
    )
    asked = [word for name in peaks for word in ("--runtime", name)]
    result = latency(registry, tmp_path, *asked)
    assert result.exit_code == 0, result.output
    fast, slow, none = (records(tmp_path)[name].metrics for name in peaks)
    assert (fast["bound_precision"], slow["bound_precision"]) == ("INT8", "BF16")
    assert slow["gbyte"] == pytest.approx(2 * fast["gbyte"])
    assert fast["roofline_multiple"] > 1
    assert not any("roofline" in reason for reason in fast["reasons"])
    assert slow["roofline_multiple"] < 1
    assert slow["verdict"] == "INVALID"
    assert any("roofline" in reason for reason in slow["reasons"])
    assert none.get("bound_ms") is None
    assert none["verdict"] == "INVALID"
    assert any("The engine has no kernels" in reason for reason in none["reasons"])


def test_runtimes_share_a_session_and_the_first_is_the_baseline(
    registry: Registry, tmp_path: Path
) -> None:
    result = latency(registry, tmp_path, "--runtime", "again", "--runtime", "eager")
    assert result.exit_code == 0, result.output
    found = records(tmp_path)
    assert len({record.config["session"] for record in found.values()}) == 1
    assert found["again"].metrics.get("speedup") is None
    assert found["eager"].metrics["baseline"] == "again"
    assert found["eager"].metrics["speedup"] > 0
    assert "speed-up" in result.output


def test_who_is_compared_with_an_invalid_baseline_is_invalid(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latency_record, "timing_doubts", lambda timings: [])
    monkeypatch.setattr(Watch, "doubts", lambda self: [])
    for first, verdict in (("negated", "INVALID"), ("again", "VALID")):
        result = latency(registry, tmp_path / first, "--runtime", first, "--runtime", "eager")
        assert result.exit_code == 0, result.output
        metrics = records(tmp_path / first)["eager"].metrics
        assert metrics["verdict"] == verdict
        assert ("its baseline negated is INVALID" in metrics["reasons"]) == (first == "negated")


def test_each_backbone_is_a_group_of_its_own(registry: Registry, tmp_path: Path) -> None:
    result = latency(
        registry, tmp_path, "--backbone", "tiny", "--backbone", "second", "--size", "32x32"
    )
    assert result.exit_code == 0, result.output
    found = [read_record(path) for path in (tmp_path / "latency").glob("*.json")]
    assert {record.config["backbone"] for record in found} == {"tiny", "second"}


def test_end_to_end_has_phases_that_make_up_the_query(registry: Registry, tmp_path: Path) -> None:
    result = latency(registry, tmp_path, "--scope", "end-to-end", "--threads", "1")
    assert result.exit_code == 0, result.output
    [record] = records(tmp_path).values()
    assert record.path is not None
    assert record.config["threads"] == 1
    assert record.metrics["phases"].keys() == {"prepare", "compute", "fetch"}
    assert 0.5 < sum(record.metrics["phases"].values()) <= 1
    assert record.metrics["logit_error"] is None
    arrays = read_arrays(record.path)
    assert np.all(arrays["prepare"] + arrays["compute"] + arrays["fetch"] <= arrays["seconds"])
    assert "prepare" in result.output


@pytest.mark.parametrize("arguments", [(), ("--threads", "1")])
def test_all_engines_get_the_threads_that_the_record_names(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def open_session(model: Any, setup: Setup) -> Session:
        seen.append((setup.threads, torch.get_num_threads()))
        return EAGER.open(model, setup)

    registry = Registry.of(
        [TINY],
        [tiny_dataset()],
        [EAGER, Runtime("other", "Eager", open_session)],
        commands=segbench_commands(),
    )
    monkeypatch.setenv("OMP_NUM_THREADS", "2" if arguments else "1")
    before = torch.get_num_threads()
    result = latency(registry, tmp_path, "--runtime", "other", *arguments)
    torch.set_num_threads(before)
    assert result.exit_code == 0, result.output
    assert seen == [(1, 1)]
    assert records(tmp_path)["other"].config["threads"] == 1


def test_offline_groups_queries(registry: Registry, tmp_path: Path) -> None:
    result = latency(registry, tmp_path, "--scope", "labels", "--scenario", "offline")
    assert result.exit_code == 0, result.output
    [record] = records(tmp_path).values()
    assert (record.config["scope"], record.config["scenario"]) == ("labels", "offline")
    assert record.metrics["group"] >= 1


def test_a_checkpoint_brings_its_size_hash_and_data_set(registry: Registry, tmp_path: Path) -> None:
    checkpoint = tmp_path / "best.safetensors"
    config = {"backbone": "tiny", "dataset": "tiny", "height": 32, "width": 64, "seed": 3}
    save_checkpoint(checkpoint, tiny_network(), config)
    data = ("--data-root", str(write_tiny(tmp_path)))
    result = latency(registry, tmp_path, "--checkpoint", str(checkpoint), *data)
    assert result.exit_code == 0, result.output
    [record] = records(tmp_path).values()
    assert (record.config["height"], record.config["width"]) == (32, 64)
    assert record.config["dataset"] == "tiny"
    assert len(record.config["checkpoint_sha256"]) == 64
    assert record.metrics["compared_on"] == "tiny test"


def test_what_an_int8_engine_is_calibrated_on_is_gathered(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gather(dataset: Any, *_: object, trained: bool) -> Calibration:
        assert (dataset.name, trained) == ("tiny", False)
        return CALIBRATION

    monkeypatch.setitem(
        sys.modules, "segbench.inference.calibration", SimpleNamespace(gather=gather)
    )
    result = latency(registry, tmp_path, "--dataset", "tiny", "--runtime", "int8")
    assert result.exit_code == 0, result.output
    [record] = records(tmp_path).values()
    assert record.metrics["file_mb"] == 1.5
    assert DETAILS.items() <= record.provenance.items()


def test_an_output_that_is_not_eager_fp32s_is_invalid(registry: Registry, tmp_path: Path) -> None:
    result = latency(registry, tmp_path, "--runtime", "negated")
    assert result.exit_code == 0, result.output
    [record] = records(tmp_path).values()
    assert record.metrics["verdict"] == "INVALID"
    assert "its logits are 200% off those of eager FP32" in record.metrics["reasons"]
    assert "200% off" in result.output


@pytest.mark.parametrize("precision", ["fp16", "bf16", "int8"])
def test_the_peak_of_fp32_bounds_no_engine_that_computes_in_fewer_bits(
    precision: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pytorch, "torch_peak", lambda dtype, setup: Peak("FP32", 4, 1.0))
    fewer = Runtime("fewer", "Without a peak", EAGER.open, precision=precision)
    registry = Registry.of([TINY], [tiny_dataset()], [EAGER, fewer], commands=segbench_commands())
    result = latency(registry, tmp_path, "--runtime", "fewer")
    assert result.exit_code == 0, result.output
    metrics = records(tmp_path)["fewer"].metrics
    assert metrics.get("bound_ms") is None
    assert not any("roofline" in reason for reason in metrics["reasons"])


@pytest.mark.parametrize("function", ["work_of", "copy_rate"])
def test_without_a_roofline_the_timings_are_kept(
    function: str, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, function, raising(SegbenchError("There is no rate.")))
    result = latency(registry, tmp_path, "--runtime", "eager")
    assert result.exit_code == 0, result.output
    metrics = records(tmp_path)["eager"].metrics
    assert metrics["p50_ms"] > 0
    assert "its roofline could not be measured: There is no rate." in metrics["reasons"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("broken", "The engine is broken"),
        ("full", "Out of memory with a batch of 1 at 64x96"),
        ("full-later", "Out of memory with a batch of 1 at 64x96"),
    ],
)
def test_a_runtime_that_fails_leaves_the_others_measured(
    name: str, message: str, registry: Registry, tmp_path: Path
) -> None:
    alone = latency(registry, tmp_path, "--runtime", name)
    assert alone.exit_code == 1
    assert f"Error: {message}" in alone.output
    beside = latency(registry, tmp_path, "--runtime", name, "--runtime", "eager")
    assert beside.exit_code == 1
    assert f"{name} was not measured: {message}" in beside.output
    assert "1 of 2 measurements failed" in beside.output
    [record] = records(tmp_path).values()
    assert record.config["runtime"] == "eager"
    assert record.metrics.get("speedup") is None


def test_a_bug_in_a_runtime_leaves_the_others_measured(registry: Registry, tmp_path: Path) -> None:
    alone = latency(registry, tmp_path, "--runtime", "bug")
    assert isinstance(alone.exception, ValueError), "alone it keeps its traceback"
    beside = latency(registry, tmp_path, "--runtime", "eager", "--runtime", "bug")
    assert beside.exit_code == 1
    said = " ".join(beside.output.split())
    assert "bug was not measured: ValueError: no such kernel (measure only this one" in said
    assert records(tmp_path).keys() == {"eager"}


def test_a_runtime_that_fails_in_its_turn_leaves_the_others_measured(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = steady.measure_in_turns

    def without_kernel(queries: Any, *arguments: Any, **options: Any) -> Any:
        broken = replace(queries["again"], issue=raising(FULL))
        return measure(queries | {"again": broken}, *arguments, **options)

    monkeypatch.setattr(steady, "measure_in_turns", without_kernel)
    result = latency(registry, tmp_path, "--runtime", "again", "--runtime", "eager")
    assert result.exit_code == 1
    assert "again was not measured: Out of memory with a batch of 1" in result.output
    assert records(tmp_path).keys() == {"eager"}
    assert records(tmp_path)["eager"].metrics.get("speedup") is None


def test_a_runtime_that_cannot_be_compared_is_invalid_alone(
    registry: Registry, tmp_path: Path
) -> None:
    result = latency(registry, tmp_path, "--runtime", "eager", "--runtime", "unfetched")
    assert result.exit_code == 0, result.output
    found = records(tmp_path)
    reason = "not compared with eager FP32: ValueError: lost"
    assert reason in found["unfetched"].metrics["reasons"]
    assert found["unfetched"].metrics.get("agreement") is None
    assert reason not in found["eager"].metrics["reasons"]
    assert found["eager"].metrics["agreement"] == 1


def test_a_trained_network_compared_on_noise_is_invalid(registry: Registry, tmp_path: Path) -> None:
    checkpoint = tmp_path / "best.safetensors"
    config = {"backbone": "tiny", "dataset": "tiny", "height": 32, "width": 64, "seed": 3}
    save_checkpoint(checkpoint, tiny_network(), config)
    data = ("--data-root", str(tmp_path))
    result = latency(registry, tmp_path, "--checkpoint", str(checkpoint), *data)
    assert result.exit_code == 0, result.output
    metrics = records(tmp_path)["eager"].metrics
    assert metrics["verdict"] == "INVALID"
    assert "compared on noise: no frames of tiny under --data-root" in metrics["reasons"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_while_measuring_leaves_invalid_records(
    number: int, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = steady.measure_in_turns

    def stopped_after_a_round(*arguments: Any, **options: Any) -> Any:
        step = partial(os.kill, os.getpid(), number)
        return measure(*arguments, **options | {"step": step})

    before = signal.getsignal(signal.SIGTERM)

    monkeypatch.setattr(steady, "measure_in_turns", stopped_after_a_round)
    result = latency(registry, tmp_path, "--runtime", "eager", "--runtime", "again")
    assert result.exit_code == 1
    assert "Error: Interrupted" in result.output
    assert len(records(tmp_path)) == 2
    assert signal.getsignal(signal.SIGTERM) is before
    for record in records(tmp_path).values():
        assert record.metrics["verdict"] == "INVALID"
        assert "interrupted" in record.metrics["reasons"]


def test_an_interrupt_while_comparing_keeps_the_timings(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "samples_to_compare", raising(KeyboardInterrupt()))
    result = latency(registry, tmp_path, "--runtime", "eager")
    assert result.exit_code == 1
    assert "Error: Interrupted" in result.output
    metrics = records(tmp_path)["eager"].metrics
    assert metrics["p50_ms"] > 0
    assert "interrupted" in metrics["reasons"]


def test_frames_that_a_plugin_cannot_list_leave_the_timings(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "samples_to_compare", raising(KeyError("frames")))
    result = latency(registry, tmp_path, "--runtime", "eager")
    assert result.exit_code == 0, result.output
    metrics = records(tmp_path)["eager"].metrics
    assert metrics["p50_ms"] > 0
    assert "not compared with eager FP32: KeyError: 'frames'" in metrics["reasons"]


def test_without_the_reference_the_timings_are_kept(registry: Registry, tmp_path: Path) -> None:
    alone = Registry.of(
        backbones=registry.backbones,
        runtimes=[Runtime("mine", "The only one", EAGER.open)],
        commands=segbench_commands(),
    )
    result = latency(alone, tmp_path, "--runtime", "mine")
    assert result.exit_code == 0, result.output
    reasons = " ".join(records(tmp_path)["mine"].metrics["reasons"])
    assert "not compared with eager FP32: No runtime named 'eager'" in reasons
    assert "its roofline could not be measured: No runtime named 'eager'" in reasons


def test_measuring_leaves_torchs_threads_as_they_were(registry: Registry, tmp_path: Path) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        latency(registry, tmp_path, "--runtime", "eager", "--threads", "1")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_without_a_runtime_that_runs_here_all_is_refused(tmp_path: Path) -> None:
    lacking = Runtime("moon", "Needs the tide", EAGER.open, lacking=lambda: "Find a moon.")
    registry = Registry.of(backbones=[TINY], runtimes=[lacking], commands=segbench_commands())
    result = latency(registry, tmp_path, "--runtime", "all")
    assert result.exit_code == 1
    assert "No runtime runs this network here on --device cpu" in result.output


def test_an_interrupt_before_that_leaves_none(registry: Registry, tmp_path: Path) -> None:
    result = latency(registry, tmp_path, "--runtime", "eager", "--runtime", "stopped")
    assert result.exit_code == 1
    assert "Error: Interrupted" in result.output
    assert not records(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--runtime", "eagre"], "Did you mean 'eager'"),
        (["--backbone", "tiny", "--backbone", "tin"], "Did you mean 'tiny'?"),
        (["--size", "0x64"], "is empty"),
        (["--batch-size", "0"], "--batch-size"),
        (["--threads", "0"], "--threads"),
        (["--threads", "100000"], "--threads 100000: this process may use"),
        (["--scope", "all"], "--scope"),
        (["--checkpoint", "none.safetensors"], "none.safetensors"),
        (["--checkpoint", "a.safetensors", "--backbone", "tiny"], "leave --backbone"),
        (["--network", "enet", "--decoder", "wide4"], "--decoder is for FCN8s on a --backbone"),
        (["--backbone", "tiny", "--device", "gpu"], "'gpu'"),
        (["--backbone", "tiny", "--device", "cuda:99"], "CUDA devices"),
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
    assert not records(tmp_path)


def test_sizes_batch_sizes_and_runtimes_are_swept(registry: Registry, tmp_path: Path) -> None:
    runtimes = ("--runtime", "eager,again")
    sizes = ("--size", "32x32,32x64", "--size", "32x32", "--batch-size", "1,2")
    result = latency(registry, tmp_path, "--backbone", "tiny", *runtimes, *sizes)
    assert result.exit_code == 0, result.output
    found = [read_record(path) for path in (tmp_path / "latency").glob("*.json")]
    keys = ("runtime", "height", "width", "batch_size")
    measured = {tuple(record.config[key] for key in keys) for record in found}
    assert measured == {
        (name, 32, width, batch)
        for name in ("eager", "again")
        for width in (32, 64)
        for batch in (1, 2)
    }
    assert len(found) == len(measured)
    assert len({record.config["session"] for record in found}) == 4
    assert "tiny at 32x64, batch 2" in result.output


def test_what_fails_at_one_size_leaves_the_other_sizes(registry: Registry, tmp_path: Path) -> None:
    sizes = ("--backbone", "tiny", "--size", "32x32,64x64")
    result = latency(registry, tmp_path, "--runtime", "full", *sizes)
    assert result.exit_code == 1
    assert "a batch of 1 at 32x32" in result.output
    assert "2 of 2 measurements failed" in result.output
    assert "full (tiny --batch-size 1 at --size 64x64) was not measured" in result.output


def test_all_are_the_runtimes_that_run_here_eager_first() -> None:
    def refuse(setup: Setup) -> None:
        raise SegbenchError("There is no GPU.")

    runtimes = [
        EAGER,
        Runtime("card", "Needs a GPU", EAGER.open, check=refuse),
        Runtime("moon", "Needs the tide", EAGER.open, lacking=lambda: "Find a moon."),
        Runtime("old", "Needs a package", EAGER.open, requires=("no-such-thing",)),
        Runtime("another", "Runs", EAGER.open),
    ]
    registry = Registry.of(runtimes=runtimes, commands=segbench_commands())
    assert named_runtimes(("all", "moon", "eager"), "cpu", registry) == ("eager", "another", "moon")
