"""A folder that takes results as files, for a share that something else watches."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydicom.filereader import read_file_meta_info

from dicom_node.destinations.base import Destination
from dicom_node.errors import Unreachable
from dicom_node.network.statuses import SUCCESS, Status
from dicom_node.written_path import WrittenPath


class FolderDestination(Destination):
    """Each object becomes `SOP instance UID.dcm` in `path`; a watcher never sees half a file."""

    kind: Literal["folder"] = "folder"
    path: WrittenPath

    def deliver(self, files: Sequence[Path]) -> Mapping[str, Status]:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            return {self._copy(file): Status(SUCCESS) for file in files}
        except OSError as error:
            raise Unreachable(f"folder {self.path} cannot be written: {error.strerror}") from error

    def _copy(self, file: Path) -> str:
        uid = str(read_file_meta_info(file).MediaStorageSOPInstanceUID)
        beside = self.path / f".{uid}.part"
        with beside.open("wb") as copy:
            copy.write(file.read_bytes())
            copy.flush()
            os.fsync(copy.fileno())
        beside.replace(self.path / f"{uid}.dcm")
        return uid
