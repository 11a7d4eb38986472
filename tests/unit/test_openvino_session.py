"""OpenVINO refuses what it cannot do in a sentence."""

from pathlib import Path

import pytest

pytest.importorskip("openvino", reason="needs pip install openvino")

from segbench.engines.openvino_session import OpenVinoSession
from segbench.errors import SegbenchError
from segbench.types import Setup


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"no graph")
    with pytest.raises(SegbenchError, match=r"OpenVINO cannot load a\.onnx .*; export it again"):
        OpenVinoSession(tmp_path / "a.onnx", Setup((64, 96)), "fp32")
