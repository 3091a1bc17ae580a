"""What the node says of itself to whoever connects it (PS3.2), read from its settings and its own code."""
