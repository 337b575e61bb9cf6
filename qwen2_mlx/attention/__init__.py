"""Positions, and the one function that attends."""
