"""Bridges to other evaluation frameworks. Each framework is an optional dependency (extra)."""
