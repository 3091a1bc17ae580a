"""Where files lie: a folder or an object storage, written durably, copied, and as much as the disk holds."""
