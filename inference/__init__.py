"""Volumes in, findings out. No database, no peers."""
