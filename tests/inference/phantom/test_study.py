from collections import Counter

import pydicom

from inference.phantom import write_study


def test_a_study_holds_a_localizer_every_role_and_the_decoys(brain_case, tmp_path):
    paths = write_study(brain_case, tmp_path)
    assert len(paths) == len(set(paths))
    headers = [pydicom.dcmread(p, stop_before_pixels=True, specific_tags=["SeriesDescription", "StudyInstanceUID",
               "ImageType", "FrameOfReferenceUID"]) for p in paths]
    counts = Counter(h.SeriesDescription for h in headers)
    assert counts.pop("localizer") == 2
    for role, volume in brain_case.volumes.items():
        assert counts.pop(brain_case.acquisitions[role].series_description) == volume.grid.shape[0]
    assert sum(counts.values()) == sum(d.volume.grid.shape[0] for d in brain_case.decoys)
    assert len({h.StudyInstanceUID for h in headers}) == 1
    assert len({h.FrameOfReferenceUID for h in headers}) == 1
