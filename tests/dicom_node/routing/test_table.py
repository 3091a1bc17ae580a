"""Whole studies against the shipped routes: what fires, what does not, and the words for it."""

from dataclasses import replace

import pytest

from dicom_node.routing.route import Route
from dicom_node.routing.table import CANDIDATE, decide


def fired(decision):
    return {plan.route: plan.candidate for plan in decision.plans}


def verdict(decision, route, series=""):
    (found,) = [v for v in decision.verdicts if (v.route, v.series_uid) == (route, series)]
    return found


SURE, CANDIDATE_JOB = False, True


def brain(s, **header):
    return [
        s.flair(SeriesDescription="t2_tirm_tra_dark-fluid", **header),
        s.t2(SeriesDescription="t2_tse_tra", **header),
        s.t1(SeriesDescription="t1_mprage_sag", plane="sagittal", **header),
        s.t1(SeriesDescription="t1_mprage_sag_km", plane="sagittal", ContrastBolusAgent="Gadovist", **header),
    ]


@pytest.mark.parametrize(
    ("description", "header", "expected"),
    [
        # (study description, series header, routes that fire and whether they are candidates)
        ("CT Abdomen", {"SeriesDescription": "Abdomen portal 1.0"}, {"liver-tumour": SURE}),
        ("CT Thorax", {"SeriesDescription": "Thorax 1.0 Lunge", "ConvolutionKernel": "Bl57f"}, {"lung-nodule": SURE}),
        ("CT Chest Abdomen Pelvis", {"SeriesDescription": "CAP 1.0"}, {"liver-tumour": SURE, "lung-nodule": SURE}),
        ("TDM TAP", {"SeriesDescription": "1.25 mm"}, {"liver-tumour": SURE, "lung-nodule": SURE}),
        ("TC tórax", {"SeriesDescription": "1.0"}, {"lung-nodule": SURE}),
        ("", {"SeriesDescription": "5.0 B30f", "ProtocolName": "ThorAbdBecken"},
         {"liver-tumour": SURE, "lung-nodule": SURE}),
        # BodyPartExamined is wrong in the field: descriptions win, the voxels have the last word
        ("CT Thorax", {"SeriesDescription": "Thorax 1.0", "BodyPartExamined": "ABDOMEN"},
         {"liver-tumour": CANDIDATE_JOB, "lung-nodule": CANDIDATE_JOB}),
        ("CT Abdomen", {"SeriesDescription": "Abdomen 3.0", "BodyPartExamined": "CHEST"},
         {"liver-tumour": CANDIDATE_JOB, "lung-nodule": CANDIDATE_JOB}),
        ("", {"SeriesDescription": "axial", "BodyPartExamined": "ABDOMEN"},
         {"liver-tumour": CANDIDATE_JOB, "lung-nodule": CANDIDATE_JOB}),
        # hardly any identifiers left
        ("", {"SeriesDescription": "CT Body 3.0", "BodyPartExamined": "PARTIALBODY", "ProtocolName": "FDG_TK_KM"},
         {"liver-tumour": CANDIDATE_JOB, "lung-nodule": CANDIDATE_JOB}),
        ("", {"ImageType": None, "ConvolutionKernel": None},
         {"liver-tumour": CANDIDATE_JOB, "lung-nodule": CANDIDATE_JOB}),
        # something else
        ("CT Knie", {"SeriesDescription": "Knie 1.0", "fov": 160}, {}),
        ("CT LWS", {"SeriesDescription": "LWS 1.0"}, {}),
        ("", {"fov": 200, "BodyPartExamined": "HEAD"}, {}),
        ("CT Thorax", {"SeriesDescription": "Thorax", "slices": 20, "spacing": 2.0}, {}),
        ("CT Thorax", {"SeriesDescription": "Thorax", "plane": "coronal"}, {}),
        ("CT Thorax", {"SeriesDescription": "Thorax MIP 10 mm"}, {}),
        ("CT Thorax", {"SeriesDescription": "Thorax", "slices": 40, "spacing": 8.0}, {}),
    ],
)  # fmt: skip
def test_ct_studies(scanner, decision, description, header, expected):
    assert fired(decision(scanner.ct(**({"slices": 300} | header)), description=description)) == expected


@pytest.mark.parametrize("description", ["MRT Kopf", "MR Brain w/wo", "IRM cérébrale", ""])
def test_a_brain_tumour_protocol(scanner, decision, description):
    made = decision(*brain(scanner), description=description)
    (plan,) = made.plans
    assert (plan.route, plan.task, plan.model, plan.candidate) == (
        "brain-tumour", "brain_tumour", "brain_tumour", not description,
    )  # fmt: skip
    assert {role: uid for role, (uid, _) in plan.inputs.items()} == {
        "FLAIR": "1.2.3.1", "T2": "1.2.3.2", "T1": "1.2.3.3", "T1ce": "1.2.3.4",
    }  # fmt: skip
    assert len(plan.inputs["T1ce"].sop_instance_uids) == 160
    assert (plan.outputs, plan.destinations, plan.priority) == (("seg", "sr"), ("pacs",), 50)


def test_a_knee_labelled_head_is_too_small_for_a_head(scanner, decision):
    made = decision(*brain(scanner, fov=160, BodyPartExamined="HEAD"), description="MRT")
    assert made.plans == ()
    assert "field of view 160 mm is less than the 180 mm needed" in verdict(made, "brain-tumour").reason


def test_a_large_knee_labelled_head_lacks_the_series_of_a_head(scanner, decision):
    knee = [
        scanner.t1(ScanningSequence="SE", EchoTime=12, RepetitionTime=600, InversionTime=None, SeriesDescription="t1"),
        scanner.mr(ScanningSequence="SE", EchoTime=30, RepetitionTime=2800, SeriesDescription="pd fs cor"),
    ]
    made = decision(*knee, description="")
    assert made.plans == ()
    assert "no T1 after contrast, no T2, no FLAIR series found" in verdict(made, "brain-tumour").reason


def test_the_sequence_of_a_vestibular_schwannoma_is_refused_by_name(scanner, decision):
    t1 = scanner.mr(slices=120, spacing=1.5, fov=210, SeriesDescription="t1_mpr_tra_gk_v4",
                    ProtocolName="t1_mpr_tra_gk_v4", ScanningSequence="GR\\IR", SequenceVariant="SP\\MP\\OSP",
                    EchoTime="2.97", RepetitionTime="1900", InversionTime="1100", SeriesNumber=2,
                    ImageOrientationPatient=[1, -2.051034e-10, 0, 2.051034e-10, 1, 0])  # fmt: skip
    made = decision(t1, description="Avanto RoutineImage Guidance")
    assert verdict(made, "brain-tumour").reason == (
        "no T1 after contrast, no T2, no FLAIR series found: "
        "only T1 with no sign of contrast (series 2 “t1_mpr_tra_gk_v4”)"
    )


def test_a_three_dimensional_scout_is_no_t1_though_it_has_the_smaller_voxels(scanner, decision):
    scout = scanner.t1(SeriesDescription="AAHScout", plane="sagittal", slices=128, spacing=1.6, fov=260,
                       ScanningSequence="GR", SequenceVariant="SP", EchoTime=1.37, RepetitionTime=3.15,
                       InversionTime=None, ImageType=["ORIGINAL", "PRIMARY", "M", "ND", "NORM"])  # fmt: skip
    spin_echo = scanner.t1(SeriesDescription="t1_se_tra", slices=28, spacing=5.5, ScanningSequence="SE",
                           SequenceVariant="SK", EchoTime=9, RepetitionTime=550, InversionTime=None)  # fmt: skip
    flair, t2, _, after = brain(scanner)
    (plan,) = decision(scout, spin_echo, flair, t2, after, description="MRT Kopf").plans
    assert plan.inputs["T1"].series_uid == "1.2.3.2"


def test_what_a_spectral_scanner_makes_of_a_scan_never_stands_for_the_scan(scanner, decision):
    made = decision(
        scanner.ct(SeriesDescription="Abdomen 1.0"),
        scanner.ct(SeriesDescription="MonoE 40keV[HU]"),
        scanner.ct(SeriesDescription="Z Effective[Z]", ImageType=["ORIGINAL", "PRIMARY", "AXIAL", "EFF_ATOMIC_NUM"]),
        scanner.ct(SeriesDescription="Abdomen 4", ImageType=["ORIGINAL", "PRIMARY", "AXIAL", "MAT_SPECIFIC"]),
        description="CT Abdomen",
    )
    (plan,) = made.plans
    assert plan.inputs["CT"].series_uid == "1.2.3.1"


def test_every_route_has_its_word_on_every_series_and_on_the_study(scanner, decision, routes):
    made = decision(scanner.ct(), scanner.report(), description="CT Thorax")
    told = {(v.route, v.series_uid) for v in made.verdicts}
    assert told == {(r.name, uid) for r in routes for uid in ("1.2.3.1", "1.2.3.2", "")}
    assert len(made.verdicts) == len(told)
    assert all(v.reason for v in made.verdicts)


def test_what_is_left_out_has_its_own_reason(scanner, decision):
    made = decision(
        scanner.ct(SeriesDescription="Thorax 1.0"),
        scanner.ct(slices=2, plane="coronal", ImageType="ORIGINAL\\PRIMARY\\LOCALIZER", SeriesDescription="Topogram"),
        scanner.ct(plane="coronal", ImageType="DERIVED\\SECONDARY\\REFORMATTED", SeriesDescription="Thorax cor"),
        scanner.ct(slices=1, SOPClassUID="1.2.840.10008.5.1.4.1.1.7", SeriesDescription="Report"),
        scanner.report(SeriesDescription="Dose"),
        scanner.ct(slices=5, SeriesDescription="PreMonitoring"),
        scanner.ct(slices=8, SeriesDescription="Thorax HR"),
        scanner.ct(slices=0, positions=[*range(100), *range(120, 200)], SeriesDescription="Thorax gap"),
        scanner.ct(slices=60, spacing=5.0, SeriesDescription="Thorax 5.0"),
        description="CT Thorax",
    )
    reasons = [verdict(made, "lung-nodule", f"1.2.3.{k}") for k in range(1, 10)]
    assert [v.ok for v in reasons] == [True] + [False] * 8
    for one, says in zip(
        reasons,
        ["chosen as CT", "left out as localizer", "left out as reformatted", "left out as secondary capture",
         "modality is SR", "left out as contrast monitoring", "number of slices 8 is less than the 30 needed",
         "Slices are missing: between image 100 and image 101", "fits, but series 1 “Thorax 1.0” is better"],
        strict=True,
    ):  # fmt: skip
        assert says in one.reason
    assert reasons[0].scores["CT"] > reasons[8].scores["CT"]


def test_a_candidate_says_that_the_voxels_decide(scanner, decision):
    made = decision(scanner.ct(SeriesDescription="axial"))
    for told in (verdict(made, "liver-tumour").reason, verdict(made, "liver-tumour", "1.2.3.1").reason):
        assert CANDIDATE in told
        assert "nothing in the header names a body part" in told


def test_a_combined_scan_gives_each_task_its_own_best_series(scanner, decision):
    made = decision(
        scanner.ct(slices=600, spacing=1.0, ConvolutionKernel="Bl57f", SeriesDescription="Thorax Lunge 1.0"),
        scanner.ct(slices=600, spacing=1.0, ConvolutionKernel="Br38f", SeriesDescription="Thorax Abdomen venös 1.0"),
        description="CT Thorax/Abdomen",
    )
    assert {plan.route: plan.inputs["CT"].series_uid for plan in made.plans} == {
        "liver-tumour": "1.2.3.2", "lung-nodule": "1.2.3.1",
    }  # fmt: skip


def test_the_chosen_volume_s_images_are_the_inputs(scanner, decision):
    early = scanner.ct(slices=150, spacing=2.0, SeriesDescription="Abdomen", AcquisitionNumber=1)
    late = scanner.ct(slices=150, spacing=2.0, SeriesDescription="Abdomen", AcquisitionNumber=2)
    uid = early[0].series_instance_uid
    together = early + [type(i)(**{**vars(i), "series_instance_uid": uid}) for i in late]
    (plan,) = decision(together, description="CT Abdomen").plans
    assert plan.inputs["CT"].sop_instance_uids == tuple(i.sop_instance_uid for i in late)
    assert any("AcquisitionNumber" in note for note in plan.notes)


def test_the_same_study_is_decided_the_same_in_any_order(scanner, facts, records, routes, decision):
    series = brain(scanner)
    forward = decision(*series, description="MRT Kopf")
    backward = decision(*[list(reversed(one)) for one in reversed(series)], description="MRT Kopf")
    assert forward == backward


def test_who_sends_makes_it_urgent(scanner, facts, routes):
    liver = next(route for route in routes if route.name == "liver-tumour")
    urgent = Route.model_validate(liver.model_dump() | {"priority": {"default": 20, "peers": {"ER_CT": 95}}})
    study = facts(scanner.ct(SeriesDescription="Abdomen"), calling=("ER_CT",))
    (plan,) = decide([urgent], study).plans
    assert plan.priority == 95


def test_a_route_that_is_switched_off_says_so(scanner, facts, routes):
    off = [Route.model_validate(route.model_dump() | {"enabled": False}) for route in routes]
    made = decide(off, facts(scanner.ct(SeriesDescription="Abdomen")))
    assert made.plans == ()
    assert {(v.series_uid, v.reason) for v in made.verdicts} == {("", "the route is switched off")}


def test_a_study_without_series_is_said_to_have_none(decision):
    made = decision()
    assert made.plans == ()
    assert {v.reason for v in made.verdicts} == {"the study has no series"}


def test_a_series_without_a_frame_of_reference_is_taken_or_refused_as_the_route_says(scanner, facts, routes):
    liver = next(route for route in routes if route.name == "liver-tumour")
    study = facts(scanner.ct(SeriesDescription="Abdomen", FrameOfReferenceUID=None))
    assert decide([Route.model_validate(liver.model_dump())], study).plans, "it is made up unless a site says otherwise"
    strict = Route.model_validate(liver.model_dump() | {"missing_frame_of_reference": "refuse"})
    refused = decide([strict], study)
    assert not refused.plans
    reason = "series 1 “Abdomen”: its images name no frame of reference; such a series is refused here"
    assert verdict(refused, "liver-tumour", "1.2.3.1").reason == reason
    assert verdict(refused, "liver-tumour").reason == f"its only series does not fit; {reason}"
    beside = facts(scanner.ct(SeriesDescription="Abdomen", FrameOfReferenceUID=None), scanner.ct(slices=200))
    (plan,) = decide([strict], beside).plans
    assert plan.inputs["CT"].series_uid == "1.2.3.3", "another series that names one takes its place"


@pytest.mark.parametrize(
    ("of_route", "refused_by_default", "fires"),
    [(None, False, True), (None, True, False), ("process", True, True), ("refuse", False, False)],
)
def test_an_incomplete_study_is_processed_or_refused_as_the_route_says_or_else_its_source(
    scanner, facts, routes, of_route, refused_by_default, fires
):
    liver = next(route for route in routes if route.name == "liver-tumour")
    route = Route.model_validate(liver.model_dump() | {"incomplete": of_route})
    lacking = "incomplete: 3 of 412 images missing"
    study = replace(
        facts(scanner.ct(SeriesDescription="Abdomen")), incomplete=lacking, refuse_incomplete=refused_by_default
    )
    made = decide([route], study)
    assert bool(made.plans) is fires
    if not fires:
        assert verdict(made, "liver-tumour").reason == f"{lacking}; such a study is refused here"
    assert decide([route], replace(study, incomplete="")).plans
