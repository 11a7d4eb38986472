"""A record or a checkpoint as one page of figures."""
