"""FCN8s -> INT8: an ONNX graph with Q/DQ nodes, calibrated on training images.

One network serves every engine that reads it: what ``evaluate`` scores is what ``latency`` times.
"""

from segbench.quantize.network import export_quantized, quantize_onnx
from segbench.quantize.profiles import Profile

__all__ = ["Profile", "export_quantized", "quantize_onnx"]
