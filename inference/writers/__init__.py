"""A Volume to files."""
