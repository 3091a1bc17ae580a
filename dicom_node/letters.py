"""Letters as they are compared and shown where accents are none."""

from __future__ import annotations

import unicodedata

# Letters that Unicode does not take apart into a letter and an accent.
WHOLE_LETTERS = str.maketrans({"ß": "ss", "ẞ": "SS", "ł": "l", "Ł": "L", "ø": "o", "Ø": "O"})


def without_accents(said: str) -> str:
    """The same letters without what stands above, below or across them; ß as ss."""
    decomposed = unicodedata.normalize("NFD", said.translate(WHOLE_LETTERS))
    return "".join(c for c in decomposed if not unicodedata.combining(c))
