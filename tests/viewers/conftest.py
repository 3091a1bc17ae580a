"""A node with a history and people in a browser, for the tests that look at its pages."""

from console_site import chromium  # noqa: F401 (a fixture for all)
from lived_in import lived_in  # noqa: F401 (a fixture for all)
from shown_pages import opened, page, session, stranger, take  # noqa: F401 (fixtures for all)
