"""Frames of a dataset: found, read, checked, drawn."""
