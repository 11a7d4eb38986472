"""Data of one's own: a folder with ``classes.json``, ``images/`` and ``labels/``."""
