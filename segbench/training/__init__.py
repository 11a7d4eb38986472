"""Training: the loop in ``fit.py`` and its parts."""
