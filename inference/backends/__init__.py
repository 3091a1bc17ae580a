"""How weights run, one kind a file."""
