"""Models: the catalogue, what a MODEL string means, files, loading, chat template."""
