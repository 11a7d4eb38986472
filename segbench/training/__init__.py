"""Training: the loop in ``fit.py``, and what it uses beside it."""
