"""Networks as plain torch modules; only workers and training import what lies here."""
