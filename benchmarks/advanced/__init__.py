"""What the guide beyond the talk shows from records: results/advanced/."""
