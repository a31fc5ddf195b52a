"""Ollama: its server, Modelfiles, and the proof of what it shares."""
