"""A network -> INT8: an ONNX graph with Q/DQ nodes, calibrated on training images.

One network serves every engine that reads it: what ``evaluate`` scores is what ``latency`` times.
"""
