"""Another server says who somebody is (OpenID Connect Core 1.0): the authorization code flow with PKCE (RFC 7636).

A browser is sent there with a question and comes back with a code; the server gives for the code a signed token about
the person. What is asked for is bound to the browser by `Question`, and the token to the question by its nonce.
"""

from __future__ import annotations

import hashlib
import math
import secrets
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from ipaddress import ip_address
from typing import Annotated, Any, Self
from urllib.parse import urlencode, urlsplit

from jwt import PyJWK, PyJWKSet, PyJWTError, decode, get_unverified_header
from pydantic import BaseModel, ConfigDict, Field, model_validator

from dicom_node.errors import NotVouched, PeerError, Rejected, Unreachable
from dicom_node.network.dicomweb.authentication import Text, client_header, require_https
from dicom_node.network.dicomweb.web_call import Answer, Line, WebRoot, call
from dicom_node.network.dicomweb.web_words import trouble_of
from dicom_node.network.secret import Secret
from dicom_node.network.tls.settings import ClientTls

DISCOVERY = "/.well-known/openid-configuration"
ALGORITHMS = [f"{family}{size}" for family in ("RS", "PS", "ES") for size in (256, 384, 512)] + ["EdDSA"]
LEEWAY_S = 60.0  # by which its clock and ours may differ
KNOWN_S = 3600.0  # for so long its addresses and keys are not asked for again
AGAIN_S = 60.0  # …but for a key that is not known, and no oftener than this
ANSWER_S = 15.0
SPARED_S = 10.0  # for so long one that did not answer is not asked again
Claims = Mapping[str, Any]


class OpenIdClient(BaseModel):
    """The provider by its `issuer`, and who we are there. Without `tls`, the system's authorities vouch for it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: WebRoot
    client_id: Text
    client_secret: Secret | None = None
    scopes: tuple[Annotated[str, Field(pattern=r"^[\x21\x23-\x5b\x5d-\x7e]+$")], ...] = ("profile",)
    tls: ClientTls | None = None

    @model_validator(mode="after")
    def _tls_by_https(self) -> Self:
        require_https(self.issuer, self.tls)
        if not _private(self.issuer):
            raise ValueError("issuer begins with https://: who came in otherwise could be anybody")
        return self


@dataclass(frozen=True)
class Question:
    """What a browser was sent away with: `state` says that it is back, `nonce` and `verifier` that the code is its."""

    state: str
    nonce: str
    verifier: str

    @classmethod
    def new(cls) -> Question:
        return cls(*(secrets.token_urlsafe(32) for _ in range(3)))

    def kept(self) -> dict[str, str]:
        """For the browser to bring back."""
        return asdict(self)

    @property
    def challenge(self) -> str:
        """Of the verifier, by S256 (RFC 7636 4.2)."""
        return urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()


class Provider:
    """A provider's addresses and keys, asked for when they are needed and kept for an hour; threads share it."""

    def __init__(self, client: OpenIdClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._lock = threading.Lock()
        self._known: Claims = {}
        self._keys: dict[str | None, PyJWK] = {}
        self._asked_at = -KNOWN_S
        self._silence, self._spared_until = "", -math.inf

    def address(self, question: Question, come_back: str) -> str:
        """Where a browser asks, to be sent to `come_back` then. PeerError where the provider does not answer."""
        asked = {
            "response_type": "code",
            "client_id": self._client.client_id,
            "redirect_uri": come_back,
            "scope": " ".join(("openid", *self._client.scopes)),
            "state": question.state,
            "nonce": question.nonce,
            "code_challenge": question.challenge,
            "code_challenge_method": "S256",
        }
        address = self._address_of("authorization_endpoint")
        return f"{address}{'&' if '?' in address else '?'}{urlencode(asked)}"

    def claims(self, question: Question, code: str, come_back: str, wanted: Collection[str]) -> Claims:
        """What the provider says of the person that brought `code`, with `wanted` as far as it is said at all.

        PeerError where it does not answer or refuses the code; NotVouched where its token is not what it must be, or
        it only says where else to ask for one of `wanted`.
        """
        told = self._tokens(question, code, come_back)
        token = told.get("id_token")
        if not isinstance(token, str):
            raise NotVouched(f"{self._client.issuer} gives no ID token: it must know us as a client of OpenID Connect")
        claims: Claims = self._verified(token, question)
        if not set(wanted) <= claims.keys() and self._discovered().get("userinfo_endpoint"):
            claims = {**self._more(str(told.get("access_token", "")), str(claims["sub"])), **claims}
        self._check_told(claims, wanted)
        return claims

    def _tokens(self, question: Question, code: str, come_back: str) -> Claims:
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": come_back,
            "client_id": self._client.client_id,
            "code_verifier": question.verifier,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if (secret := self._client.client_secret) is not None:
            ways = self._discovered().get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
            if "client_secret_basic" in ways:
                headers["Authorization"] = client_header(self._client.client_id, secret.read())
            else:
                fields["client_secret"] = secret.read()
        return self._asked("POST", self._address_of("token_endpoint"), headers, urlencode(fields).encode())

    def _verified(self, token: str, question: Question) -> Claims:
        """The token's claims, once every rule of OpenID Connect Core 3.1.3.7 holds."""
        try:
            key = self._key(get_unverified_header(token).get("kid"))
            claims: dict[str, Any] = decode(
                token, key, ALGORITHMS, audience=self._client.client_id, leeway=LEEWAY_S,
                issuer=str(self._discovered()["issuer"]), options={"require": ["exp", "iat", "sub", "iss", "aud"]},
            )  # fmt: skip
        except PyJWTError as wrong:
            raise NotVouched(f"the token of {self._client.issuer} is not good ({type(wrong).__name__})") from wrong
        if not secrets.compare_digest(str(claims.get("nonce", "")).encode(), question.nonce.encode()):
            raise NotVouched(f"the token of {self._client.issuer} was made for another sign-in")
        if claims.get("azp", self._client.client_id) != self._client.client_id:
            raise NotVouched(f"the token of {self._client.issuer} was made for another client")
        return claims

    def _more(self, access_token: str, subject: str) -> Claims:
        """What its userinfo endpoint adds, which speaks of the same person or of none (OpenID Connect Core 5.3)."""
        headers = {"Authorization": f"Bearer {access_token}"}
        if not access_token.isascii() or not access_token.isprintable():
            raise NotVouched(f"{self._client.issuer} gives no access token")
        told = self._asked("GET", self._address_of("userinfo_endpoint"), headers)
        if told.get("sub") != subject:
            raise NotVouched(f"{self._client.issuer} speaks of two persons at once")
        return told

    def _check_told(self, claims: Claims, wanted: Collection[str]) -> None:
        """NotVouched where one lies elsewhere (OpenID Connect Core 5.6.2): that is not to say that there is none.

        Entra ID does so with the groups of who is in more than 200.
        """
        names = claims.get("_claim_names")
        elsewhere = [name for name in sorted(wanted) if isinstance(names, Mapping) and name in names.keys() - claims]
        if elsewhere:
            only = f"{self._client.issuer} says only where else to ask for {' and '.join(elsewhere)} of this person"
            hint = "as it does of who is in very many groups: have it tell the groups of this application alone"
            raise NotVouched(f"{only}, {hint}, or its roles")

    def _key(self, number: str | None) -> PyJWK:
        """The key that signed; asked for again where it is not known: providers change them."""
        self._discovered()
        if number not in self._keys:
            self._discovered(AGAIN_S)
        if number is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        if number not in self._keys:
            raise NotVouched(f"the token of {self._client.issuer} is signed with a key that it does not publish")
        return self._keys[number]

    def _discovered(self, fresh_s: float = KNOWN_S) -> Claims:
        """Its addresses, asked for again once they are `fresh_s` old; its keys are fetched with them.

        One thread asks, and those that wait for it hear what it has heard: Unreachable, too.
        """
        with self._lock:
            if self._known and self._clock() - self._asked_at < fresh_s:
                return self._known
            if self._clock() < self._spared_until:
                raise Unreachable(self._silence)
            try:
                self._known, self._keys = self._published()
            except Unreachable as silence:
                self._silence, self._spared_until = str(silence), self._clock() + SPARED_S
                raise
            self._asked_at = self._clock()
            return self._known

    def _published(self) -> tuple[Claims, dict[str | None, PyJWK]]:
        """Its addresses (OpenID Connect Discovery 1.0) and its keys."""
        known = self._asked("GET", self._client.issuer + DISCOVERY)
        if str(known.get("issuer", "")).rstrip("/") != self._client.issuer:
            raise NotVouched(f"{self._client.issuer} calls itself by another name: look at issuer")
        keys = self._asked("GET", _address_in(known, "jwks_uri", self._client.issuer))
        try:
            return known, {key.key_id: key for key in PyJWKSet.from_dict(dict(keys)).keys}
        except PyJWTError as wrong:
            raise NotVouched(f"{self._client.issuer} publishes no key that we can use") from wrong

    def _address_of(self, which: str) -> str:
        return _address_in(self._discovered(), which, self._client.issuer)

    def _asked(self, method: str, address: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Claims:
        line = Line(self._client.tls, answer_s=ANSWER_S)
        answer = call(line, method, address, {"Accept": "application/json", **(headers or {})}, body or None, ANSWER_S)
        told = answer.json_object()
        if answer.status == 200 and told:
            return told
        raise self._trouble(answer, told)

    def _trouble(self, answer: Answer, told: Claims) -> PeerError:
        """Its error in our words (RFC 6749 5.2); its own (error_description) are shown nowhere."""
        if told.get("error") == "invalid_client":
            return Rejected(f"{self._client.issuer} does not know us: look at client_id and client_secret")
        if told.get("error") == "invalid_grant":
            return Rejected(f"{self._client.issuer} does not take the code: it was used before, or is too old")
        trouble = trouble_of(answer, self._client.issuer)
        return trouble if isinstance(trouble, Unreachable) else Rejected(str(trouble))


@cache
def provider_of(client: OpenIdClient) -> Provider:
    """The provider of these settings, one for the life of the process."""
    return Provider(client)


def _address_in(known: Claims, which: str, issuer: str) -> str:
    """An address that the provider names; NotVouched where others could listen to what is said there."""
    address = known.get(which)
    if not isinstance(address, str) or not address.isascii() or not address.isprintable() or not _private(address):
        raise NotVouched(f"{issuer} names no {which} that begins with https://")
    return address


def _private(address: str) -> bool:
    """Whether nobody between can listen: by TLS, or on this machine."""
    parts = urlsplit(address)
    if parts.scheme != "http":
        return parts.scheme == "https" and bool(parts.hostname)
    try:
        return ip_address(str(parts.hostname)).is_loopback
    except ValueError:
        return parts.hostname == "localhost"
