"""Parallel threads, and processes that may hang."""
