"""A suite: trainings, scores, latencies and pages defined in one file."""
