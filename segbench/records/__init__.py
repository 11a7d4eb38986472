"""Records: one immutable JSON a run, its arrays, its schema, and where it came from."""
