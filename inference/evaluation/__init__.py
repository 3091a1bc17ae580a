"""How good is it: metrics and their tables."""
