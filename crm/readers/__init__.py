"""Readers of a company's own files and databases: each returns cells as the source has them, or refuses it."""
