"""The processes of `segnode serve`: started, watched, told of changes, and what is done by the clock."""
