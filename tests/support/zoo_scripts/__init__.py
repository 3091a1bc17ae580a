"""The code that the miniature of a detector brings along, as `scripts`."""
