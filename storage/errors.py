"""What can go wrong with what must outlive a crash.

StorageError
├─ Unavailable      try again: database locked or unreachable, disk full or failing, object storage without an answer
│  ├─ NoRoom        free space is below the watermark; told once a crossing, not once a caller
│  └─ NoAccess      the object storage refuses us or has no such bucket: a person has to see to it first
├─ IllegalStep      a state was asked for that the lifecycle does not allow
├─ NotFound         no such study, job or delivery; names what was asked for
├─ LeaseLost        another owner holds the work now; drop what you did
├─ Damaged          a stored file is not what was written: bytes were lost or changed on disk
├─ BadIdentifier    a UID that is no UID (PS3.5 9.1); it never becomes a path
├─ BadValue         a text or number that no row can hold, such as one with NUL in it: nothing is found under it
├─ SchemaTooNew     the database was written by a newer release, whose schema is no longer one that we can work with
└─ SchemaDamaged    the database is half migrated, or was changed by other hands
"""

from __future__ import annotations


class StorageError(Exception):
    """Root of what this package raises on purpose; names no patient."""


class Unavailable(StorageError):
    """The database or the disk did not answer; the same call may succeed later."""


class NoRoom(Unavailable):
    """The disk has less free space than is kept free; nothing new is taken."""


class NoAccess(Unavailable):
    """The object storage does not let us in, or has no such bucket; the text says what to correct."""


class IllegalStep(StorageError):
    """The lifecycle does not allow this step."""


class NotFound(StorageError):
    """Nothing is stored under this identifier."""


class LeaseLost(StorageError):
    """The lease ran out and the work is, or may be, another owner's."""


class Damaged(StorageError):
    """A stored file is not what was written."""


class BadIdentifier(StorageError):
    """Not a valid DICOM UID."""


class BadValue(StorageError):
    """No row can hold such a text or number."""


class SchemaTooNew(StorageError):
    """The database's schema is newer than this program, and lacks what this program needs."""


class SchemaDamaged(StorageError):
    """The database's schema is no release's: tables or columns are missing."""
