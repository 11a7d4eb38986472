"""A network -> INT8: an ONNX graph with Q/DQ nodes, calibrated on training images.

One network serves every engine that reads it: what ``evaluate`` scores is what ``latency`` times.
"""

from segbench.int8.arithmetic import with_arithmetic
from segbench.int8.network import export_quantized, quantize_onnx
from segbench.int8.profiles import Profile

__all__ = ["Profile", "export_quantized", "quantize_onnx", "with_arithmetic"]
