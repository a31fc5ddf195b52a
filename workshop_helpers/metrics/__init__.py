"""Measures on text: quantities, facts, scores, language. Pure functions on strings."""
