"""A folder that takes results as files, for a share that something else watches."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydicom.filereader import read_file_meta_info

from dicom_node.destinations.base import Destination
from dicom_node.errors import Unreachable
from dicom_node.network.statuses import SUCCESS, Status, Told
from dicom_node.written_path import WrittenPath
from storage.files.durable import sync


class FolderDestination(Destination):
    """Each object becomes `SOP instance UID.dcm` in `path`; a watcher never sees half a file."""

    kind: Literal["folder"] = "folder"
    path: WrittenPath

    def deliver(self, files: Sequence[Path], told: Told = lambda _: None) -> Mapping[str, Status]:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            kept: dict[str, Status] = {}
            for file in files:
                copied = {self._copy(file): Status(SUCCESS)}
                told(copied)
                kept |= copied
            self._keep_names()  # lest a power cut take what we have told as sent
        except OSError as error:
            raise Unreachable(f"folder {self.path} cannot be written: {error.strerror}") from error
        return kept

    def _copy(self, file: Path) -> str:
        uid = str(read_file_meta_info(file).MediaStorageSOPInstanceUID)
        beside = self.path / f".{uid}.part"
        with beside.open("wb") as copy:
            copy.write(file.read_bytes())
            copy.flush()
            os.fsync(copy.fileno())
        beside.replace(self.path / f"{uid}.dcm")
        return uid

    def _keep_names(self) -> None:
        try:
            sync(self.path)
        except OSError as error:
            if error.errno != errno.EINVAL:  # of network shares some know no such thing
                raise
