"""What a device can do, as the training asks for it."""

import pytest
import torch

from segbench.device import cpu_has_bfloat16, training_dtype

CPU = torch.device("cpu")


@pytest.mark.parametrize(("able", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_auto_trains_in_16_bits_where_the_cpu_computes_in_them(
    monkeypatch: pytest.MonkeyPatch, able: bool, dtype: torch.dtype
) -> None:
    monkeypatch.setattr("segbench.device.cpu_has_bfloat16", lambda: able)
    assert training_dtype("auto", CPU) == dtype
    assert training_dtype("fp32", CPU) == torch.float32


def test_torch_knows_whether_this_cpu_has_bfloat16() -> None:
    assert cpu_has_bfloat16() in (True, False)
