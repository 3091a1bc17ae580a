"""What fires, what does not, and why."""
