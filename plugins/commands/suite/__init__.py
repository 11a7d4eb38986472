"""A suite: trainings, scores, latencies and pages that one file asks for."""
