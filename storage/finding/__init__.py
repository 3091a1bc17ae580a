"""Studies found and gathered for whoever looks."""
