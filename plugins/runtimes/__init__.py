"""Built-in runtimes, one file each."""
