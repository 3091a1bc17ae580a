"""What is done by a person's word, from the command line and in the console."""
