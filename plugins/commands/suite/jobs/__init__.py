"""The jobs of a suite: how to run one, how to see that it is done, and how long it takes."""
