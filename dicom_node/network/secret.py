"""Where a password is: in a file or a variable of the environment, never in the settings, which are kept and shown."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from dicom_node.errors import NoSecret
from dicom_node.written_path import WrittenPath

LARGEST_FILE = 1 << 20


class Secret(BaseModel):
    """A file, of which the first line counts, or a variable; read anew each time, so that it may be replaced."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: WrittenPath | None = None
    environment: Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.file is None) == (self.environment is None):
            raise ValueError("either file or environment says where the password is")
        return self

    @property
    def place(self) -> str:
        """The file or the variable."""
        return str(self.file or self.environment)

    def below(self, base: Path) -> Self:
        """With its file named relative to `base`."""
        return self.model_copy(update={"file": base / self.file.expanduser()}) if self.file else self

    def read(self) -> str:
        """The secret itself; `NoSecret` where it is not there."""
        if self.file is None:
            secret = os.environ.get(str(self.environment))
            if secret is None:
                raise NoSecret("is no variable of the environment that the node runs in")
            return secret
        try:
            with self.file.open("rb") as file:
                content = file.read(LARGEST_FILE + 1)
        except FileNotFoundError:
            raise NoSecret("is not there") from None
        except OSError as error:
            raise NoSecret(f"cannot be read: {error.strerror}; the user that runs the node must be able to") from error
        if len(content) > LARGEST_FILE:
            raise NoSecret("is longer than 1 MiB, so it is not what is meant")
        return (content.decode("utf-8", "replace").splitlines() or [""])[0]
