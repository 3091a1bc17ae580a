"""Where results go, one kind a file."""
