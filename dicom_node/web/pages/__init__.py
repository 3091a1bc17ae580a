"""Pages for people, rendered here; each file is one page and what can be done on it."""
