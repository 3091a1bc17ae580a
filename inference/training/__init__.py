"""From cases with truth to a bundle."""
