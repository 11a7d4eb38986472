"""What a CPU lacks for a precision is said before anything starts."""

import pytest

from segbench import device


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
def test_bf16_that_is_emulated_is_said(
    extensions: tuple[str, ...],
    precision: str,
    kind: str,
    said: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(device, "cpu_extensions", lambda: extensions)
    warning = device.slow_precision(precision, kind)
    assert (warning is not None) == said
    if warning:
        assert "AVX2" in warning
