"""What files and data sets that come in say of themselves, read from their bytes."""
