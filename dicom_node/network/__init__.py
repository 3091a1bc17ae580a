"""The only room that speaks pynetdicom."""
