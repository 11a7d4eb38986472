"""Threads that work side by side, and processes that may hang."""
