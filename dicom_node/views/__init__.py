"""What a person asks of the node, as plain data: for the command line, the console and the API."""
