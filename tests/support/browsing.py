"""A browser and a clock for the tests of the console."""

from __future__ import annotations

import re

from starlette.testclient import TestClient

PASSWORD = "an apple a day"
NOW = 1000.0


class Browser(TestClient):
    """A browser that follows nothing by itself, and fills in the form token as a page would."""

    def __init__(self, app, **options) -> None:
        super().__init__(app, follow_redirects=False, raise_server_exceptions=False, **options)

    def form_token(self, page: str = "/account") -> str:
        found = re.search(r'name="csrf" value="([^"]+)"', self.get(page).text)
        assert found, f"no form on {page}"
        return found[1]

    def fill_in(self, place: str, page: str = "/account", **fields: object):
        """Send a form that stands on `page`."""
        return self.post(place, data={"csrf": self.form_token(page), **fields})

    def go_back(self, revision: str):
        """Write what the page of a revision shows."""
        found = re.search(r'name="seen" value="([^"]+)"', self.get(revision).text)
        assert found, f"nothing would change by {revision}"
        return self.fill_in(revision, revision, seen=found[1])

    def sign_in(self, name: str, password: str = PASSWORD):
        return self.fill_in("/sign-in", "/sign-in", name=name, password=password)
