"""Measuring a network's latency on runtimes, and whether it is reproducible."""
