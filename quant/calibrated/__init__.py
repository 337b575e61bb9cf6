"""Quantisers that look at what the layers see on calibration text, one decoder layer in memory at a time."""
