"""Official measures, without a model and without torch."""
