"""Bridges to other evaluation frameworks: one module a direction. Each framework is an extra of its own."""
