"""TensorRT: the ``tensorrt`` package (10, 11) or TensorRT for RTX, with shared code."""
