import numpy as np
import pytest

from inference.phantom.brain_protocol import ADC, REFORMAT, describe, describe_adc, describe_reformat, plan
from inference.writers.acquisition import StudyDetails

ROLES = ("T1", "T1ce", "T2", "FLAIR")
STUDY = StudyDetails.of("test")


@pytest.mark.parametrize("role", ROLES)
def test_sites_differ_in_plane_spacing_and_tilt(role):
    plans = [plan(role, np.random.default_rng(seed)) for seed in range(80)]
    assert len({p.plane for p in plans}) >= 2
    steps = [p.spacing.z for p in plans]
    assert min(steps) >= 1.2
    assert max(steps) > 4.5
    assert all(0.9 <= p.spacing.x <= 1.3 and p.spacing.x == p.spacing.y for p in plans)
    assert any(any(p.tilt_deg) for p in plans)
    assert all(p.thickness <= p.spacing.z + 1e-9 for p in plans)


@pytest.mark.parametrize("role", ROLES)
def test_the_scanner_names_what_it_did(role):
    protocol = plan(role, np.random.default_rng(3))
    acquisition = describe(role, protocol, STUDY, 5)
    assert acquisition.series_number == 5
    assert acquisition.technique.acquisition_type == ("3D" if protocol.volumetric else "2D")
    assert bool(acquisition.contrast_agent) == (role == "T1ce")
    assert acquisition.slice_thickness == pytest.approx(protocol.thickness, abs=1e-3)


def test_derived_series_say_so():
    assert describe_adc(STUDY, 10).image_type[:2] == ("DERIVED", "PRIMARY")
    assert describe_reformat(STUDY, 11).image_type[:2] == ("DERIVED", "SECONDARY")
    assert ADC.spacing.x > 1.3
    assert REFORMAT.thickness == 6
