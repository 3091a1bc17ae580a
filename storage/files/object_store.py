"""Whole objects in one bucket of an S3-compatible storage; the only file that knows its library.

That is botocore, which Amazon keeps: it works in the thread that asks, so that threads and forked roles are safe, and
lets each body be sent with its MD5. Of fsspec's s3fs neither is true: its event loop, one for the whole process, does
not outlive a fork, and it compares nothing of what it has written.

A body goes with its MD5, which servers compare (Content-MD5); the ETag that they answer is compared here as well, since
not all of them do. Every call ends: with so many attempts, each with so many seconds to connect and to answer.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    PartialCredentialsError,
    SSLError,
)
from botocore.loaders import create_loader
from botocore.session import get_session

from storage.errors import NoAccess, NotFound, Unavailable

PART_BYTES = 16 << 20  # a larger object goes in parts of this size, each held in memory while it is sent
MOST_PARTS = 10_000  # of one object (S3)
PIECE = 256 << 10
PAGE = 1000  # of a listing, the most that servers give (S3)
SLOWEST = 100_000  # bytes a second; a body that comes more slowly is given up
ATTEMPTS = 3
CONNECTIONS = 64
BRIEFLY_S = (3.0, 10.0)  # to connect and to answer, once, where a transaction waits for it
PLAIN_TAG = re.compile("[0-9a-f]{32}")
CODE = re.compile("[A-Za-z0-9.]{1,64}")
LOCKED_OUT = (
    "AccessDenied", "AllAccessDisabled", "AccountProblem", "ExpiredToken", "InvalidAccessKeyId", "InvalidToken",
    "SignatureDoesNotMatch", "403",
)  # fmt: skip
TRY_OUT = "tried-by-segnode"
OWNER = "belongs-to"


@dataclass(frozen=True)
class Bucket:
    """Where objects are, and how it is asked. Without `keys` they are found as botocore finds them.

    `keys`: access key and secret. `authorities`: PEM file of who vouches for the server's certificate.
    """

    name: str
    prefix: str = ""
    endpoint: str | None = None
    region: str | None = None
    keys: tuple[str, str] | None = field(default=None, repr=False)
    authorities: Path | None = None
    connect_s: float = 5.0
    answer_s: float = 30.0

    def __str__(self) -> str:
        return f"s3://{'/'.join(filter(None, (self.name, self.prefix)))}{f' at {self.endpoint}' * bool(self.endpoint)}"


class Listed(NamedTuple):
    """An object as a listing tells it; `written` in seconds since 1970."""

    key: str
    written: float


class Seen(NamedTuple):
    """An object's size in bytes, and its MD5 where its ETag is one."""

    size: int
    md5: str | None


class ObjectStore:
    """One bucket; may be used by several threads. Keys are told without the bucket's prefix."""

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket
        self._prefix = f"{bucket.prefix.strip('/')}/" if bucket.prefix.strip("/") else ""
        self._lock = threading.Lock()
        self._clients: dict[bool, Any] = {}
        self._knows_conditions = True

    def __str__(self) -> str:
        return str(self.bucket)

    def check_there(self) -> None:
        """Unavailable where there is no bucket, which `look` cannot tell from a missing object (HEAD has no body)."""
        with self._faults():
            self._client(briefly=True).list_objects_v2(Bucket=self.bucket.name, Prefix=self._prefix, MaxKeys=1)

    def put(self, key: str, file: BinaryIO, size: int, md5: bytes, *, anyway: bool = False) -> bool:
        """Store `size` bytes of `file` under `key`; when this returns True the server holds them.

        False where there is an object of this key, which stays, unless `anyway`. Two that come at the same moment may
        both be told True where the server knows no conditions (If-None-Match); the later one stays. Unavailable.
        """
        send = self._put_in_parts if size > PART_BYTES else self._put_at_once
        with self._faults():
            if anyway:
                send(key, file, size, md5)
                return True
            return self._unless_there(key, lambda **only: send(key, file, size, md5, **only))

    def look(self, key: str, *, briefly: bool = False) -> Seen | None:
        """What is stored under `key`, None where nothing is; `briefly`: one attempt, a few seconds. Unavailable."""
        with self._faults():
            try:
                told = self._client(briefly).head_object(**self._at(key))
            except ClientError as error:
                if _status(error) == 404:
                    return None
                raise
        return Seen(int(told["ContentLength"]), _md5_of(told))

    def get(self, key: str) -> Iterator[bytes]:
        """An object's bytes, piece by piece; NotFound, Unavailable, also on the way."""
        with self._faults():
            try:
                told = self._client().get_object(**self._at(key))
            except ClientError as error:
                if _code(error) == "NoSuchKey":
                    raise NotFound(f"{key} is not in the archive") from None
                raise
            end = time.monotonic() + self.bucket.answer_s + int(told["ContentLength"]) / SLOWEST
            with closing(told["Body"]) as body:
                while piece := body.read(PIECE):
                    yield piece
                    if time.monotonic() > end:
                        raise Unavailable(f"{self} sends more slowly than {SLOWEST} bytes a second")

    def delete(self, key: str) -> None:
        """Remove an object; one that is gone already is no error. Asked once, for a few seconds. Unavailable."""
        with self._faults():
            self._client(briefly=True).delete_object(**self._at(key))

    def listed(self, prefix: str) -> Iterator[Listed]:
        """What lies below `prefix` in the order of its keys, a page after the other. Unavailable."""
        with self._faults():
            pages = self._client().get_paginator("list_objects_v2")
            for page in pages.paginate(**self._below(prefix)):
                for one in page.get("Contents", ()):
                    yield Listed(one["Key"].removeprefix(self._prefix), one["LastModified"].timestamp())

    def drop_uploads(self, prefix: str, older_than: float) -> int:
        """Give up what was begun in parts below `prefix` before `older_than` (s since 1970); gives the number."""
        dropped = 0
        with self._faults():
            pages = self._client().get_paginator("list_multipart_uploads")
            for page in pages.paginate(**self._below(prefix)):
                for one in page.get("Uploads", ()):
                    if one["Initiated"].timestamp() < older_than:
                        self._give_up({"Bucket": self.bucket.name, "Key": one["Key"], "UploadId": one["UploadId"]})
                        dropped += 1
        return dropped

    def try_out(self) -> None:
        """Write, list, read and remove an object of its own; NoAccess says what to correct, Unavailable otherwise."""
        key = f"{TRY_OUT}-{os.urandom(8).hex()}"  # others may try at the same moment
        content = key.encode()
        self.put(key, BytesIO(content), len(content), hashlib.md5(content, usedforsecurity=False).digest())
        if [one.key for one in self.listed(key)] != [key] or b"".join(self.get(key)) != content:
            raise Unavailable(f"{self} does not give back what was written to it")
        self.delete(key)

    def claim(self, owner: str) -> None:
        """Note whose files lie here, so that no other node sweeps them for its own; NoAccess where they are another's.

        `owner` is what all processes of one node have in common.
        """
        content = owner.encode()
        md5 = hashlib.md5(content, usedforsecurity=False).digest()
        if not self.put(OWNER, BytesIO(content), len(content), md5) and b"".join(self.get(OWNER)) != content:
            raise NoAccess(
                f"{self} holds the files of another node, which has another database; name another prefix in "
                f"archive.url, or, if these files are this node's from now on, remove the object {self._prefix}{OWNER}"
            )

    def _put_at_once(self, key: str, file: BinaryIO, size: int, md5: bytes, **only: str) -> None:
        file.seek(0)
        answer = self._client().put_object(
            **self._at(key), Body=file, ContentLength=size, ContentMD5=_in_header(md5), **only
        )
        self._compare(key, answer, md5)

    def _put_in_parts(self, key: str, file: BinaryIO, size: int, _: bytes, **only: str) -> None:
        at = self._at(key)
        at["UploadId"] = self._client().create_multipart_upload(**at)["UploadId"]
        with ExitStack() as unless_done:
            unless_done.callback(self._tidy, at)
            parts = list(self._sent_parts(key, at, file, max(PART_BYTES, -(-size // MOST_PARTS))))
            self._client().complete_multipart_upload(**at, MultipartUpload={"Parts": parts}, **only)
            unless_done.pop_all()
        seen = self.look(key)
        if seen is None or seen.size != size:
            raise Unavailable(f"{self} has not put {key} together as it was sent; it is to be sent once more")

    def _sent_parts(self, key: str, at: dict[str, str], file: BinaryIO, part_bytes: int) -> Iterator[dict[str, Any]]:
        file.seek(0)
        for number in itertools.count(1):
            content = file.read(part_bytes)
            if not content:
                return
            md5 = hashlib.md5(content, usedforsecurity=False).digest()
            answer = self._client().upload_part(
                **at, PartNumber=number, Body=content, ContentLength=len(content), ContentMD5=_in_header(md5)
            )
            self._compare(key, answer, md5)
            yield {"PartNumber": number, "ETag": answer["ETag"]}

    def _tidy(self, upload: dict[str, str]) -> None:
        """Give up what failed; where that fails too, `drop_uploads` does so a day later."""
        with suppress(BotoCoreError, ClientError):
            self._give_up(upload)

    def _give_up(self, upload: dict[str, str]) -> None:
        self._client(briefly=True).abort_multipart_upload(**upload)

    def _compare(self, key: str, answer: dict[str, Any], md5: bytes) -> None:
        """Unavailable where the server tells the MD5 of what it has stored and that is another."""
        told = _md5_of(answer)
        if told is not None and told != md5.hex():
            raise Unavailable(f"{self} has stored {key} otherwise than it was sent; it is to be sent once more")

    def _unless_there(self, key: str, send: Callable[..., None]) -> bool:
        """Store it unless there is one of its key; whether it was stored."""
        if self._knows_conditions:
            try:
                send(IfNoneMatch="*")
            except ClientError as error:
                if _status(error) == 412:
                    return False
                if _status(error) != 501:
                    raise
                self._knows_conditions = False
            else:
                return True
        if self.look(key) is not None:
            return False
        send()
        return True

    def _at(self, key: str) -> dict[str, str]:
        return {"Bucket": self.bucket.name, "Key": self._prefix + key}

    def _below(self, prefix: str) -> dict[str, Any]:
        return {
            "Bucket": self.bucket.name,
            "Prefix": self._prefix + prefix,
            "PaginationConfig": {"PageSize": PAGE},
        }

    def _client(self, briefly: bool = False) -> Any:
        with self._lock:
            if briefly not in self._clients:
                self._clients[briefly] = _connected(self.bucket, briefly)
            return self._clients[briefly]

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """The library's errors as ours; their texts hold addresses and keys' names, ours do not."""
        try:
            yield
        except (NoCredentialsError, PartialCredentialsError):
            raise NoAccess(
                f"{self}: no access key was found; name one under archive in node.yaml, or in AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY"
            ) from None
        except ClientError as error:
            raise self._answered(error) from error
        except SSLError as error:
            raise Unavailable(
                f"{self} shows a certificate that is not trusted here; name its authority in archive.authorities"
            ) from error
        except BotoCoreError as error:
            raise Unavailable(f"{self} does not answer ({type(error).__name__})") from error

    def _answered(self, error: ClientError) -> Unavailable:
        code, status = _code(error), _status(error)
        if code == "NoSuchBucket":
            return NoAccess(f"{self}: there is no such bucket; make it, or correct archive.url in node.yaml")
        if code in LOCKED_OUT or status == 403:
            return NoAccess(
                f"{self} refuses us ({code}); the access key and this machine's clock must be right, and the key be "
                "allowed to list the bucket and to get, put and delete objects in it"
            )
        return Unavailable(f"{self} answers {status} ({code})")


def _connected(bucket: Bucket, briefly: bool) -> Any:
    """A client of the library."""
    connect_s, answer_s = bucket.connect_s, bucket.answer_s
    if briefly:
        connect_s, answer_s = min(connect_s, BRIEFLY_S[0]), min(answer_s, BRIEFLY_S[1])
    access, secret = bucket.keys or (None, None)
    session = get_session()
    session.register_component("data_loader", _descriptions())
    return session.create_client(
        "s3",
        region_name=bucket.region,
        endpoint_url=bucket.endpoint,
        aws_access_key_id=access,
        aws_secret_access_key=secret,
        verify=str(bucket.authorities) if bucket.authorities else None,
        config=Config(
            connect_timeout=connect_s,
            read_timeout=answer_s,
            retries={"mode": "standard", "total_max_attempts": 1 if briefly else ATTEMPTS},
            max_pool_connections=CONNECTIONS,
            # Other servers than Amazon's have no names like bucket.endpoint, and not all know its newer checksums.
            s3={"addressing_style": "path"} if bucket.endpoint else None,
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


@cache
def _descriptions() -> Any:
    """What the library reads of each service, once a process: that takes longer than all else of a client."""
    return create_loader()


def _in_header(md5: bytes) -> str:
    return b64encode(md5).decode("ascii")


def _md5_of(answer: dict[str, Any]) -> str | None:
    """The ETag is the body's MD5 unless it came in parts or is encrypted with a key of its own (S3)."""
    tag = str(answer.get("ETag", "")).strip('"')
    own_key = "SSECustomerAlgorithm" in answer or str(answer.get("ServerSideEncryption", "")).startswith("aws:")
    return tag if PLAIN_TAG.fullmatch(tag) and not own_key else None


def _code(error: ClientError) -> str:
    code = str(error.response.get("Error", {}).get("Code", ""))
    return code if CODE.fullmatch(code) else "?"


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
