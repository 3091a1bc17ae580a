"""What is taken away, held against the disk, and copied for bad days."""
