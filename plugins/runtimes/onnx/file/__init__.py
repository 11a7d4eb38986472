"""A user's ONNX file as a network: ``--model net.onnx``."""
