"""A network with its weights, opened on a runtime and run over frames."""
