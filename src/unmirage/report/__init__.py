"""Saved files in, one self-contained HTML page out. Nothing here computes a rate."""
