"""How we show an HTTP server who we are: a password, or a token that another server gives for a secret."""

from __future__ import annotations

from base64 import b64encode
from typing import Annotated, Literal
from urllib.parse import quote_plus, urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from dicom_node.network.dicomweb.web_call import WebAddress
from dicom_node.network.secret import Secret
from dicom_node.network.tls.settings import ClientTls

Text = Annotated[str, Field(min_length=1, max_length=1024)]


class Basic(BaseModel):
    """A user and a password with every request (RFC 7617)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["basic"] = "basic"
    user: Annotated[str, Field(pattern=r"^[^:\x00-\x1f\x7f]{1,255}$")]
    password: Secret

    def header(self) -> str:
        """The value of Authorization; `NoSecret` where the password is not there."""
        return basic(self.user, self.password.read())

    def forget(self, header: str) -> bool:  # noqa: ARG002 (what kinds that can are given)
        """Whether another header than this one, which was not accepted, can be had: no."""
        return False


class OAuth2(BaseModel):
    """A token for the client's own account (RFC 6749 4.4, client credentials), kept until shortly before its end.

    The token server is called by `tls`, with the system's authorities where that is left out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["oauth2"] = "oauth2"
    token_url: WebAddress
    client_id: Text
    client_secret: Secret
    scope: Text | None = None
    tls: ClientTls | None = None

    @model_validator(mode="after")
    def _tls_by_https(self) -> OAuth2:
        require_https(self.token_url, self.tls)
        return self

    def header(self) -> str:
        """The value of Authorization; PeerError where no token is to be had, `NoSecret` where the secret is not."""
        from dicom_node.network.dicomweb.tokens import keeper_of

        return f"Bearer {keeper_of(self).token()}"

    def forget(self, header: str) -> bool:
        """Whether another header than this one, which was not accepted, can be had: a new token may do."""
        from dicom_node.network.dicomweb.tokens import keeper_of

        keeper_of(self).forget(header.removeprefix("Bearer "))
        return True


Authentication = Annotated[Basic | OAuth2, Field(discriminator="kind")]


def client_header(client_id: str, secret: str) -> str:
    """The value of Authorization for a client of OAuth 2.0: both are form-encoded first (RFC 6749 2.3.1)."""
    return basic(quote_plus(client_id), quote_plus(secret))


def basic(user: str, password: str) -> str:
    """The value of Authorization for a user and a password."""
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


def require_https(address: str, tls: ClientTls | None) -> None:
    """ValueError where settings of TLS would be of no use."""
    if tls is not None and urlsplit(address).scheme != "https":
        raise ValueError(f"tls is of no use with {urlsplit(address).scheme}: the address must begin with https://")
