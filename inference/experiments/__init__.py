"""Whole experiments: a configuration is trained, judged on cases that it never saw, and told in a report."""
