"""Cityscapes: its labels, frames and official score."""
