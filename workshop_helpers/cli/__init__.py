"""`workshop …`: every stage of the course as a command."""
