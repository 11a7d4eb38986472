"""Loading networks with their weights and running them on runtimes."""
