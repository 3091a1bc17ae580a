"""What is known of the node while it runs: processes, counts, late studies, notices, the configuration's revisions."""
