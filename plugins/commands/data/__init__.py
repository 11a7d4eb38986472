"""``segbench data check``: validate a dataset."""
