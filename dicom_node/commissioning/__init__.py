"""Commissioning of a site: phantoms go through the running node to its PACS, and what comes back is judged."""
