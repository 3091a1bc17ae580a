"""Persons who use the console and programs that use the API."""
