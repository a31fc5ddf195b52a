"""Training rows and held-out questions."""
