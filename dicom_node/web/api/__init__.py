"""The API, version 1: the verbs of the command line for programs; each file is one kind of thing."""
