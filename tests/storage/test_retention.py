"""How full the disk may become."""

from storage.retention import Watermarks, free_space


def test_new_objects_are_refused_when_little_space_is_left(tmp_path):
    free = free_space(tmp_path)
    assert free > 0
    assert Watermarks(low_bytes=free * 2).refuse_new(tmp_path)
    assert not Watermarks(low_bytes=0).refuse_new(tmp_path)
