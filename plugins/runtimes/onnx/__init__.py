"""ONNX: networks exported as graphs, and run by ONNX Runtime."""
