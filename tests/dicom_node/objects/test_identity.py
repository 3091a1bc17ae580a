"""Names that repeat with the job and differ with everything else."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace

import pytest

from dicom_node.objects.identity import JobNames, Moment, device_uid, device_uids, uid_from
from dicom_node.objects.wording import plain
from inference.findings import IntendedUse, ModelIdentity

MODEL = ModelIdentity("net", "1", "aa", "Segnode", IntendedUse.RESEARCH)


def test_a_uid_is_a_valid_one() -> None:
    for n in range(200):
        uid = uid_from("job", str(n))
        assert re.fullmatch(r"2\.25\.(0|[1-9]\d*)", uid)
        assert len(uid) <= 64


def test_the_same_job_has_the_same_names() -> None:
    one, other = JobNames("job"), JobNames("job")
    assert one.instance("seg") == other.instance("seg")
    assert one.series("sr") == other.series("sr")
    assert one.tracking("1") == other.tracking("1")
    assert one.series_number("seg") == other.series_number("seg")


def test_no_two_things_share_a_name() -> None:
    names = [f(kind) for job in ("a", "b") for f in (JobNames(job).instance, JobNames(job).series,
                                                     JobNames(job).tracking, JobNames(job).dimensions)
             for kind in ("seg", "sr", "summary", "1")]
    assert len(set(names)) == len(names)


def test_series_numbers_of_a_job_are_neighbours_above_those_of_scanners() -> None:
    numbers = [JobNames("job").series_number(kind) for kind in ("seg", "sr", "summary")]
    assert numbers == [numbers[0], numbers[0] + 1, numbers[0] + 2]
    assert numbers[0] > 5000


def test_other_weights_are_another_device() -> None:
    assert device_uid(MODEL) == device_uid(replace(MODEL, intended_use=IntendedUse.CLINICAL))
    assert device_uid(MODEL) != device_uid(replace(MODEL, sha256="ab"))
    assert device_uid(MODEL) != device_uid(replace(MODEL, version="2"))


@pytest.mark.parametrize("name", ["Universitätsklinikum Gießen", "北京医院", "n" * 80])
def test_a_device_follows_from_the_words_that_objects_hold(name: str) -> None:
    written = replace(MODEL, manufacturer=plain(name), name=plain(name))
    assert device_uid(replace(MODEL, manufacturer=name, name=name)) == device_uid(written)


def test_a_device_is_also_known_by_what_earlier_releases_called_it() -> None:
    """They took the words as the site gave them; their results are in archives, and come back."""
    model = replace(MODEL, manufacturer="Universitätsklinikum Gießen")
    former = uid_from("device", model.manufacturer, model.name, model.version, model.sha256)
    assert device_uids(model) == {device_uid(model), former}
    assert device_uids(MODEL) == {device_uid(MODEL)}


def test_a_moment_drops_fractions_of_a_second() -> None:
    assert Moment.of(1_763_900_000.0) == Moment.of(1_763_900_000.9)
    assert re.fullmatch(r"\d{8}", Moment.of(0).date)
    assert re.fullmatch(r"\d{14}[+-]\d{4}", Moment.of(0).date_time)


@pytest.mark.parametrize(("offset", "expected"), [("+0900", "20251123211320+0900"), ("-0930", "20251123024320-0930"),
                                                  ("+0000", "20251123121320+0000")])
def test_a_moment_is_told_in_the_images_time(offset: str, expected: str) -> None:
    moment = Moment.of(1_763_900_000.0, offset)
    assert moment.date_time == moment.date + moment.time + offset == expected


def test_identity_is_cheap_to_import() -> None:
    code = ("import sys, dicom_node.objects.identity; "
            "print([m for m in ('highdicom', 'pydicom', 'torch') if m in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
