"""Networks as plain torch modules; importing this package loads no torch."""
