"""segbench: which backbone, on which runtime, gives which accuracy at which latency?"""

__version__ = "0.1.0"
