"""Network descriptions, the wrapper around every network, and FCN8s."""
