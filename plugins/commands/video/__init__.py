"""Videos in, drawn videos out. Everything here needs PyAV."""
