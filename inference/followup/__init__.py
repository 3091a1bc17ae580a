"""A prior beside the current study: laid onto one another, lesions matched, growth told. No database."""
