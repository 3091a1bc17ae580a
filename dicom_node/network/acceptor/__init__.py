"""How bytes from a connection become messages: PDUs and P-DATA, bounded, beneath pynetdicom's services."""
