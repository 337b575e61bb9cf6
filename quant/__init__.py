"""Quantisers and what they leave alone."""
