"""ONNX: a network written as a graph, and run by ONNX Runtime."""
