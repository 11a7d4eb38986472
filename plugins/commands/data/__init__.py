"""``segbench data check``: is a dataset whole?"""
