"""Built-in datasets, a folder each."""
