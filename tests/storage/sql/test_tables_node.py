"""What the database says of the node itself."""

from storage.sql.tables_node import processes, revisions


def test_a_process_is_its_host_and_its_number_and_a_revision_its_number():
    assert [column.name for column in processes.primary_key] == ["host", "pid"]
    assert [column.name for column in revisions.primary_key] == ["number"]
