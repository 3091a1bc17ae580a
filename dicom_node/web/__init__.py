"""The web console and the API: what the command line can do, for people and programs; FastAPI is known here alone."""
