"""The user's own data: a folder with ``classes.json``, ``images/`` and ``labels/``."""
