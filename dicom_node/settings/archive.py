"""`archive:` in node.yaml: a folder, or a bucket of an S3-compatible object storage with a cache before it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from dicom_node.network.dicomweb.web_call import WebRoot
from dicom_node.network.secret import Secret
from dicom_node.written_path import WrittenPath

# Names of buckets and keys as all servers take them (S3 User Guide, "Bucket naming rules", "Safe characters").
PLACE = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])((?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*)/?")
Seconds = Annotated[float, Field(gt=0, le=600)]


def _object_place(text: str) -> str:
    if not PLACE.fullmatch(text):
        raise ValueError("s3://BUCKET or s3://BUCKET/PREFIX is meant, with letters, digits, dots and hyphens")
    return text


class ArchiveSettings(BaseModel):
    """Where stored files are. What is said beside `folder` or `url` is for the latter."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: WrittenPath | None = None
    url: Annotated[str, AfterValidator(_object_place)] | None = None
    endpoint: WebRoot | None = None
    region: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    access_key: Secret | None = None
    secret_key: Secret | None = None
    authorities: WrittenPath | None = None
    connect_s: Seconds = 5.0
    answer_s: Seconds = 30.0
    cache_folder: WrittenPath | None = None
    cache_bytes: Annotated[int, Field(ge=0)] = 20_000_000_000

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.url is None:
            lost = self.model_fields_set - {"folder", "url", "cache_bytes", "connect_s", "answer_s"}
            if stray := sorted(name for name in lost if getattr(self, name) is not None):
                raise ValueError(f"{', '.join(stray)} is for an object storage, and no url names one")
            return self
        if self.folder is not None:
            raise ValueError("either folder or url says where the files are")
        if (self.access_key is None) != (self.secret_key is None):
            raise ValueError("access_key and secret_key go together")
        if find_spec("botocore") is None:
            raise ValueError("an object storage needs botocore: pip install 'segnode[s3]'")
        return self

    @property
    def bucket_and_prefix(self) -> tuple[str, str]:
        """Of `url`."""
        told = PLACE.fullmatch(self.url or "")
        return (told.group(1), told.group(2).strip("/")) if told else ("", "")

    def below(self, base: Path) -> Self:
        """With files named relative to `base`."""
        paths = {name: getattr(self, name) for name in ("folder", "authorities", "cache_folder")}
        update: dict[str, object] = {name: base / path.expanduser() for name, path in paths.items() if path}
        update |= {name: secret.below(base) for (name, *_), secret in self.secrets()}
        return self.model_copy(update=update)

    def secrets(self) -> Iterator[tuple[tuple[str, ...], Secret]]:
        """Every password, and under which key."""
        for name in ("access_key", "secret_key"):
            if (secret := getattr(self, name)) is not None:
                yield (name,), secret
