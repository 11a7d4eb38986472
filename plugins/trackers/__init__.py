"""Experiment trackers that a training reports to."""
