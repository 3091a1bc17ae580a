"""Whether the configuration is right, and whether those whom it names answer and take what they are sent."""
