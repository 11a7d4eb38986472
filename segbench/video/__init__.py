"""Videos in, drawn videos out. Everything here but ``pipeline`` and ``orientation`` needs PyAV."""
