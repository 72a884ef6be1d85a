"""The built-in world: its facts, files and tiny VLM, and the study that the demo runs."""
