"""`ray:` in node.yaml: the cluster that models run on, and what a worker there asks for."""

from __future__ import annotations

import socket
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from inference.errors import ClusterError

KNOCK_S = 5.0

Amount = Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]


class RaySettings(BaseModel):
    """A Ray cluster that this machine has joined. Paths are on the machines of the workers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    address: Annotated[str, Field(pattern=r"^[A-Za-z0-9.\-]{1,253}:[0-9]{1,5}$")]
    namespace: Annotated[str, Field(pattern=r"^[A-Za-z0-9_\-]{1,64}$")] = "segnode"
    workers: Annotated[int, Field(ge=1, le=1000)] = 4
    gpus: Literal["auto"] | Annotated[float, Field(ge=0, le=1)] = "auto"
    cpus: Amount = 1.0
    idle_s: Annotated[float, Field(ge=1, le=7 * 86400)] = 600.0
    resources: dict[Annotated[str, Field(min_length=1, max_length=64)], Amount] = Field(default_factory=dict)
    models_folder: Path = Path("~/.cache/segnode/models")

    @model_validator(mode="after")
    def _installed(self) -> Self:
        if find_spec("ray") is None:
            raise ValueError("needs Ray: pip install 'segnode[cluster]'")
        return self

    def knock(self) -> None:
        """See that somebody listens at the cluster's address; ClusterError where nobody does.

        Ray itself would try for minutes.
        """
        host, _, port = self.address.rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=KNOCK_S).close()
        except (OSError, OverflowError) as fault:
            raise ClusterError(
                f"no Ray cluster answers at {self.address} ({getattr(fault, 'strerror', None) or fault}): start its "
                "head, or say under ray.address in node.yaml where it is"
            ) from fault
