"""What of a study is not here, by the archive's own lists; only images count."""

from pydicom.uid import ComprehensiveSRStorage, CTImageStorage

from dicom_node.network.query import InstanceAnswer, SeriesAnswer
from dicom_node.network.survey import Gap, Held, Survey, compare

STUDY, CT, SR = "1.2.3", "1.2.3.1", "1.2.3.2"


class Listed:
    """Answers from a table: series to (modality, count, {UID: SOP class}); notes which series it lists."""

    def __init__(self, table):
        self.table = table
        self.listed = []

    def series(self, study_uid):
        return [SeriesAnswer(uid, modality, count) for uid, (modality, count, _) in self.table.items()]

    def instances(self, study_uid, series_uid):
        self.listed.append(series_uid)
        return [InstanceAnswer(uid, sop_class) for uid, sop_class in self.table[series_uid][2].items()]


def survey(table, held):
    """Compare a table of series with what is here; the survey and what was listed."""
    ask = Listed(table)
    return compare(ask, STUDY, held), ask.listed


def images(first, last, series=CT):
    return {f"{series}.{n}": CTImageStorage for n in range(first, last + 1)}


def held(*uids, others=()):
    return Held({CT: set(uids)} if uids else {}, {*uids, *others})


def test_equal_counts_are_believed_without_listing():
    found, listed = survey({CT: ("CT", 3, images(1, 3))}, held(*images(1, 3)))
    assert (found, listed) == (Survey(3), [])


def test_what_is_missing_is_named():
    found, listed = survey({CT: ("CT", 5, images(1, 5))}, held(*images(1, 3)))
    assert (found.expected, found.missing, listed) == (5, 2, [CT])
    assert found.gaps == (Gap(CT, 2, 3, images(4, 5)),)


def test_without_counts_the_instances_are_listed():
    found, listed = survey({CT: ("CT", None, images(1, 3))}, held(*images(1, 3)))
    assert (found, listed) == (Survey(3), [CT])


def test_more_here_than_there_is_no_gap():
    found, _ = survey({CT: ("CT", 2, images(1, 2))}, held(*images(1, 3)))
    assert found == Survey(2)


def test_reports_and_results_that_the_archive_has_gathered_are_no_gap():
    table = {
        CT: ("CT", 4, {**images(1, 3), "2.25.7": ComprehensiveSRStorage}),
        SR: ("SR", 1, {"2.25.8": ComprehensiveSRStorage}),
    }
    assert survey(table, held(*images(1, 3))) == (Survey(3), [CT])


def test_a_conflict_or_a_result_come_back_under_a_series_of_images_is_known():
    table = {CT: ("CT", 4, {**images(1, 3), "2.25.7": CTImageStorage})}
    found, _ = survey(table, held(*images(1, 3), others=("2.25.7",)))
    assert found.missing == 0


def test_an_archive_that_counts_but_does_not_list_is_asked_for_the_series():
    found, _ = survey({CT: ("CT", 5, {})}, held(*images(1, 3)))
    assert found == Survey(5, (Gap(CT, 2, 3),))
    assert found.after(held(*images(1, 4))) == Survey(5, (Gap(CT, 1, 4),))
    assert found.after(held(*images(1, 5))) == Survey(5)


def test_a_list_that_breaks_off_names_not_all_that_is_missing_so_the_series_is_asked_for():
    """Some archives give no more than some hundred answers to a question, and say that these are all."""
    found, _ = survey({CT: ("CT", 9, images(1, 4))}, held(*images(1, 3)))
    assert found == Survey(9, (Gap(CT, 6, 3),))
    assert found.after(held(*images(1, 9))).missing == 0


def test_nor_is_all_here_that_it_counts_where_more_is_here_than_it_lists():
    found, _ = survey({CT: ("CT", 9, images(1, 4))}, held(*images(1, 6)))
    assert found == Survey(9, (Gap(CT, 3, 6),))


def test_what_it_does_not_list_and_is_here_is_none_that_lacks():
    found, _ = survey({CT: ("CT", 6, images(1, 5))}, held(*images(1, 4), *images(6, 9)))
    assert found == Survey(6, (Gap(CT, 1, 8, images(5, 5)),))


def test_a_count_of_something_else_than_instances_is_not_waited_for():
    """Some archives count the frames; what they list is here then, and nothing besides."""
    found, _ = survey({CT: ("CT", 300, images(1, 1))}, held(*images(1, 1)))
    assert found == Survey(1)


def test_what_has_come_is_a_gap_no_more():
    gap = Survey(5, (Gap(CT, 2, 3, images(4, 5)),))
    left = gap.after(held(*images(1, 4)))
    assert (left.missing, left.gaps[0].sop_class_uids) == (1, images(5, 5))
    assert gap.after(held(*images(1, 5))).gaps == ()
