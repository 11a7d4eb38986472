"""OpenVINO refuses what it cannot do in a sentence."""

from pathlib import Path

import pytest

pytest.importorskip("openvino", reason="needs pip install openvino")

import torch

from segbench.errors import SegbenchError
from segbench.jobs.runtimes import named_runtimes
from segbench.plugins import Registry
from segbench.types import Setup
from segbench_plugins.runtimes.openvino.plugin import segbench_runtimes
from segbench_plugins.runtimes.openvino.session import OpenVinoSession


def test_memory_that_is_short_is_not_called_a_damaged_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("Exception from src/inference: bad allocation")

    monkeypatch.setattr("openvino.Core.read_model", fail)
    with pytest.raises(RuntimeError, match="bad allocation"):
        OpenVinoSession(tmp_path / "a.onnx", Setup((64, 96)), "fp32")


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"no graph")
    with pytest.raises(SegbenchError, match=r"OpenVINO cannot load a\.onnx .*; export it again"):
        OpenVinoSession(tmp_path / "a.onnx", Setup((64, 96)), "fp32")


def test_a_gpu_is_refused_even_if_auto_chose_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record would name the GPU."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for runtime in segbench_runtimes():
        assert runtime.check
        runtime.check(Setup((64, 96), device="cpu"))
        with pytest.raises(SegbenchError, match="use --device cpu"):
            runtime.check(Setup((64, 96)))
    with pytest.raises(SegbenchError, match="use --device cpu"):
        OpenVinoSession(tmp_path / "a.onnx", Setup((64, 96)), "fp32")
    registry = Registry.of(runtimes=segbench_runtimes())
    assert named_runtimes(["all"], "auto", registry) == ()
    assert named_runtimes(["all"], "cpu", registry) == ("openvino", "openvino-int8")
