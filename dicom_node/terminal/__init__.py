"""How all that is shown on a terminal."""
