"""The commands of `segnode`, a file for each group; `main` puts them together."""
