"""Whose turn it is to be sent, how destinations fare, and what was promised about what is held."""
