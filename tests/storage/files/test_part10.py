"""The digest is of the data set, whatever head stands before it."""

import hashlib

import pytest

from storage.files.part10 import DataSetDigest

DATA_SET = bytes(range(256)) * 4


def head(meta=b"\x02\x00\x10\x00UI\x14\x001.2.840.10008.1.2.1\0"):
    return bytes(128) + b"DICM" + b"\x02\x00\x00\x00UL\x04\x00" + len(meta).to_bytes(4, "little") + meta


def digest(*chunks):
    taken = DataSetDigest()
    for chunk in chunks:
        taken.update(chunk)
    return taken.hexdigest()


@pytest.mark.parametrize("size", [1, 7, 128, 143, 144, 145, 170, 10_000])
def test_the_head_does_not_count_however_the_stream_is_cut(size):
    stream = head() + DATA_SET
    chunks = [memoryview(stream)[at : at + size] for at in range(0, len(stream), size)]
    assert digest(*chunks) == hashlib.sha256(DATA_SET).hexdigest()


def test_another_writer_is_the_same_content():
    other = head(b"\x02\x00\x13\x00SH\x08\x00STRANGER")
    assert digest(other + DATA_SET) == digest(head() + DATA_SET)


@pytest.mark.parametrize("stream", [b"", b"short", bytes(500), head()[:140], head().replace(b"UL", b"OB") + DATA_SET])
def test_without_such_a_head_all_of_it_counts(stream):
    assert digest(stream) == hashlib.sha256(stream).hexdigest()


def test_a_head_that_claims_more_than_there_is_leaves_nothing():
    lying = head()[:140] + (2**32 - 1).to_bytes(4, "little") + DATA_SET
    assert digest(lying) == hashlib.sha256(b"").hexdigest()
