"""`tracing:` in node.yaml: where the steps of each study go as OpenTelemetry traces."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator

from dicom_node.network.dicomweb.web_call import WebAddress
from dicom_node.network.secret import Secret
from dicom_node.written_path import WrittenPath


class TracingSettings(BaseModel):
    """A collector that takes OTLP over HTTP. `authorization` is the value of that header, where it wants one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: WebAddress
    authorization: Secret | None = None
    authorities: WrittenPath | None = None

    @model_validator(mode="after")
    def _installed(self) -> Self:
        if find_spec("opentelemetry") is None or find_spec("opentelemetry.sdk") is None:
            raise ValueError("needs OpenTelemetry's SDK: pip install 'segnode[tracing]'")
        return self

    def below(self, base: Path) -> TracingSettings:
        """With files named relative to `base`."""
        files = {
            "authorization": self.authorization.below(base) if self.authorization else None,
            "authorities": base / self.authorities.expanduser() if self.authorities else None,
        }
        return self.model_copy(update=files)

    def secrets(self) -> Iterator[tuple[tuple[str, ...], Secret]]:
        """Every password, and under which keys."""
        if self.authorization is not None:
            yield ("authorization",), self.authorization
