"""A notice as an HTTP POST of JSON, signed so that the receiver knows that it is ours and new.

X-Segnode-Signature: t=SECONDS,v1=HEX, where HEX is the HMAC-SHA-256, under the shared secret, of "SECONDS." and the
body. A receiver compares it in constant time and takes nothing older than some minutes. X-Segnode-Notice stays the
same when a notice is told again, and is no other's.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass

from dicom_node.errors import NoSecret, NotTold, PeerError
from dicom_node.network.dicomweb.web_call import Line, call
from dicom_node.network.tls.settings import ClientTls
from dicom_node.settings.alerts import WebhookSettings
from storage.watching.notices import Notice

SIGNATURE, NAME = "X-Segnode-Signature", "X-Segnode-Notice"
CONNECT_S, ANSWER_S = 10.0, 20.0


@dataclass(frozen=True)
class Webhook:
    """Tells one server."""

    settings: WebhookSettings

    def tell(self, notice: Notice, now: float) -> str:
        """POST one; NotTold unless the answer is a 2xx. No redirect is followed."""
        asked = self.settings
        body = json.dumps(notice.payload, sort_keys=True).encode()
        tls = ClientTls(authorities=asked.authorities) if asked.authorities else None
        try:
            headers = {
                "Content-Type": "application/json",
                NAME: notice.name,
                SIGNATURE: signature(asked.secret.read(), body, now),
            }
            answer = call(Line(tls, CONNECT_S, ANSWER_S), "POST", asked.url, headers, body, limit_s=2 * ANSWER_S)
        except NoSecret as absent:
            raise NotTold(f"its secret {absent}") from absent
        except PeerError as trouble:
            raise NotTold(str(trouble)) from trouble
        if not 200 <= answer.status < 300:
            raise NotTold(f"it answers {answer.status}")
        return ""


def signature(secret: str, body: bytes, at: float) -> str:
    """The value of `SIGNATURE`."""
    seconds = str(int(at))
    digest = hmac.new(secret.encode(), seconds.encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={digest}"
