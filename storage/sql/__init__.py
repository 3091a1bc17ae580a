"""How each kind of database is opened, asked and committed to, and the parts of its schema."""
