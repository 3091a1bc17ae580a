"""A person changes the configuration: peers, destinations and routes, in forms and in the text of the files."""
