"""How sure a model was of its answer, what speaks against it, and what its network looked at."""
