"""Figures of speed, size and score, measured in one run and printed as tables."""
