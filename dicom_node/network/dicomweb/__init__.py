"""DICOMweb and what it needs of HTTP, as a user: searching, fetching, storing, and how we show who we are."""
