"""Street scenes drawn by the program."""
