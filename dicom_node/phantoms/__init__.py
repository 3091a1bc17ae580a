"""Phantom studies are played through a node, and what it makes of them is judged: the demo."""
