"""Models for people: which are installed, added, tried, verified, disabled and stood beside."""
