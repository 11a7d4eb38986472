"""Overlays on videos. Everything here needs PyAV."""
