"""A network -> INT8: an ONNX graph with Q/DQ nodes, calibrated on training images.

All engines share one network: ``evaluate`` scores what ``latency`` times.
"""
