"""What whoever is asked for help would ask for, without a word on whose it is."""
