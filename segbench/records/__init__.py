"""Records: an immutable JSON file per measurement, its arrays, schema and provenance."""
