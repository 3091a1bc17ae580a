"""Where the files are, as node.yaml says: settings become an archive."""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING

from dicom_node.errors import ConfigurationError, NoSecret
from dicom_node.settings import Settings
from storage.archive import Archive
from storage.database import Database
from storage.errors import NoAccess, Unavailable
from storage.files.disk import Watermarks
from storage.files.folder_archive import FolderArchive
from storage.upkeep.older_database import last_swept

if TYPE_CHECKING:
    from storage.files.object_store import ObjectStore

log = logging.getLogger(__name__)


def archive_of(settings: Settings, database: Database | None = None) -> Archive:
    """The files that belong to the database; a folder is made unless it has swept that one before."""
    node = settings.node
    store = object_store(settings)
    if store is None:
        known = database is not None and last_swept(database) is not None
        return FolderArchive(node.images_folder, low_water_bytes=node.keep_free_bytes, known=known)
    from storage.files.file_cache import FileCache
    from storage.files.object_archive import ObjectArchive

    cache = FileCache(node.images_folder, node.archive.cache_bytes)
    return ObjectArchive(store, cache, low_water_bytes=node.keep_free_bytes)


def object_store(settings: Settings) -> ObjectStore | None:
    """The object storage that the files are kept in; None where that is a folder. NoSecret."""
    asked = settings.node.archive
    if asked.url is None:
        return None
    from storage.files.object_store import Bucket, ObjectStore

    name, prefix = asked.bucket_and_prefix
    keys = (asked.access_key.read(), asked.secret_key.read()) if asked.access_key and asked.secret_key else None
    return ObjectStore(
        Bucket(
            name=name,
            prefix=prefix,
            endpoint=asked.endpoint,
            region=asked.region,
            keys=keys,
            authorities=asked.authorities,
            connect_s=asked.connect_s,
            answer_s=asked.answer_s,
        )
    )


def watermarks(settings: Settings) -> Watermarks:
    """The disk's two marks; cleaning never begins later than refusing, and never where it would make no room."""
    node = settings.node
    clean = max(node.keep_free_bytes, node.clean_below_bytes) if node.archive.url is None else 0
    return Watermarks(node.keep_free_bytes, clean)


def require_archive(settings: Settings, database: Database) -> None:
    """Write and read an object where they are in an object storage, and note there whose they are.

    ConfigurationError where that lets us not in, or they are another node's: to start again would not mend it. That it
    is away is only told. Of files in a folder: Unavailable where that is another one, since it is made where it is not.
    """
    if settings.node.archive.url is None:
        archive_of(settings, database).check_there()
        return
    try:
        if (store := object_store(settings)) is not None:
            store.try_out()
            with database.transaction() as tx:
                key = tx.keys.get("archive")
            store.claim(hashlib.sha256(key.encode()).hexdigest())
    except (NoAccess, NoSecret) as refused:
        raise ConfigurationError([f"node.yaml: archive: {refused}"]) from refused
    except Unavailable as trouble:
        log.warning("%s; as long as that is so nothing is taken", trouble)
