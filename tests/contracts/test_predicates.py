"""What every kind of predicate keeps: settings that are its schema, a yes or no with a reason, calm on odd headers."""

import json

import pytest
from pydantic import TypeAdapter, ValidationError

from dicom_node.routing.facts import study_facts
from dicom_node.routing.predicates import KINDS, AnyPredicate
from dicom_node.routing.predicates.body_part import BodyPart
from dicom_node.routing.predicates.combine import All, AnyOf, Not
from dicom_node.routing.predicates.contrast import Contrast
from dicom_node.routing.predicates.coverage_mm import CoverageMm
from dicom_node.routing.predicates.fov_mm import FovMm
from dicom_node.routing.predicates.image_type import ImageType
from dicom_node.routing.predicates.in_plane_mm import InPlaneMm
from dicom_node.routing.predicates.kernel import ReconstructionKernel
from dicom_node.routing.predicates.modality import Modality
from dicom_node.routing.predicates.nature import SeriesNature
from dicom_node.routing.predicates.orientation import Orientation
from dicom_node.routing.predicates.peer import Peer
from dicom_node.routing.predicates.slices import Slices
from dicom_node.routing.predicates.sop_class import SopClass
from dicom_node.routing.predicates.spacing_mm import SpacingMm
from dicom_node.routing.predicates.text import Text
from dicom_node.routing.predicates.thickness_mm import ThicknessMm
from dicom_node.routing.predicates.volume import Volume
from storage.lifecycle import StudyState
from storage.records import Instance, InstanceKind, Series, StoredFile, Study

CT = {"kind": "modality", "any_of": ["CT"]}
MR = {"kind": "modality", "any_of": ["MR"]}

# For the series below: the class, settings that answer yes, settings that answer no, and a part of that no.
# (fields, without `kind`)
EXAMPLES = {
    "all": (All, {"of": [CT, CT]}, {"of": [CT, MR]}, "modality is CT, not MR"),
    "any": (AnyOf, {"of": [MR, CT]}, {"of": [MR]}, "modality is CT, not MR"),
    "body_part": (BodyPart, {"any_of": ["chest"]}, {"any_of": ["head"]}, "name chest, not head"),
    "contrast": (Contrast, {"given": True}, {"given": False}, "agent “Iopromid”"),
    "coverage_mm": (CoverageMm, {"at_least": 90}, {"at_least": 101}, "100 mm is less than the 101 mm needed"),
    "fov_mm": (FovMm, {"at_most": 400}, {"at_most": 300}, "384 mm is more than the 300 mm allowed"),
    "image_type": (ImageType, {"any_of": ["axial"]}, {"none_of": ["AXIAL"]}, "holds AXIAL"),
    "in_plane_mm": (InPlaneMm, {"at_most": 1.5}, {"at_most": 1}, "pixel spacing 1.5 mm"),
    "kernel": (ReconstructionKernel, {"any_of": ["sharp"]}, {"any_of": ["soft"]}, "kernel B70f (sharp) is not soft"),
    "modality": (Modality, {"any_of": ["ct", "MR"]}, {"any_of": ["MR"]}, "modality is CT, not MR"),
    "nature": (SeriesNature, {"none_of": ["localizer"]}, {"none_of": ["projection"]}, "left out as projection"),
    "not": (Not, {"of": MR}, {"of": CT}, "modality CT"),
    "orientation": (Orientation, {"any_of": ["axial"]}, {"any_of": ["coronal"]}, "slices are axial, not coronal"),
    "peer": (Peer, {"any_of": ["CT1"]}, {"any_of": ["CT2"]}, "sent by CT1, not by CT2"),
    "slices": (Slices, {"at_least": 50, "at_most": 50}, {"at_least": 51}, "number of slices 50 is less than the 51"),
    "sop_class": (SopClass, {"any_of": ["1.2.840.10008.5.1.4.1.1.2"]}, {"any_of": ["1.2"]}, "not among"),
    "spacing_mm": (SpacingMm, {"at_most": 2}, {"at_most": 1}, "slice spacing 2 mm"),
    "text": (Text, {"matches": "thorax"}, {"matches": "thorax", "where": ["protocol_name"]}, "not in protocol name"),
    "thickness_mm": (ThicknessMm, {"at_most": 2.5}, {"at_most": 2}, "slice thickness 2.5 mm"),
    "volume": (Volume, {}, None, ""),
}

HEADER = {
    "Modality": "CT", "SeriesDescription": "Thorax MIP", "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
    "ConvolutionKernel": "B70f", "SliceThickness": "2.5", "Rows": 256, "Columns": 256, "PixelSpacing": [1.5, 1.5],
    "ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "ContrastBolusAgent": "Iopromid", "SeriesNumber": 2,
}  # fmt: skip

# Headers of strangers: nothing, values of the wrong kind, numbers out of all bounds.
ODD_HEADERS = [
    {},
    dict.fromkeys(HEADER),
    dict.fromkeys(HEADER, ""),
    dict.fromkeys(HEADER, "\x1b[2J\\\\x" * 50),
    dict.fromkeys(HEADER, -1),
    dict.fromkeys(HEADER, 1e300),
    {keyword: ["a", None, 3] for keyword in HEADER},
    {keyword: {"nested": True} for keyword in HEADER},
]


def study_of(header, positions=range(0, 100, 2)):
    instances = [
        Instance(f"1.2.{k}", "1.2.840.10008.5.1.4.1.1.2", "1.1", "1", "", InstanceKind.IMAGE, StoredFile("f", 1, "0"),
                 0.0, "a", {**header, "ImagePositionPatient": [0, 0, z]})
        for k, z in enumerate(positions)
    ]  # fmt: skip
    series = Series("1.1", "1", str(header.get("Modality") or ""), len(instances), 0, header)
    return study_facts(Study("1", StudyState.COMPLETE, 1, 0.0, 0.0, ("CT1",), 0), [series], instances)


def parse(kind, fields):
    return TypeAdapter(AnyPredicate).validate_python({"kind": kind} | fields)


def ask(predicate, study):
    return predicate.answer(study, study.series[0])


@pytest.fixture(scope="module")
def study():
    return study_of(HEADER)


def test_every_kind_has_its_example_here():
    examples = {kind: example[0] for kind, example in EXAMPLES.items()}
    assert examples == KINDS


@pytest.mark.parametrize("kind", EXAMPLES)
class TestEveryKind:
    def test_is_parsed_from_its_settings_and_gives_them_back(self, kind):
        cls, fields, _, _ = EXAMPLES[kind]
        predicate = parse(kind, fields)
        assert type(predicate) is cls
        assert parse(kind, predicate.model_dump(mode="json", exclude={"kind"})) == predicate

    def test_says_yes_with_a_reason(self, kind, study):
        answer = ask(parse(kind, EXAMPLES[kind][1]), study)
        assert answer.ok
        assert answer.reason

    def test_says_no_with_a_reason(self, kind, study):
        _, _, fields, says = EXAMPLES[kind]
        if fields is None:  # the volume predicate has nothing to set: its no is a broken series
            uneven = study_of(HEADER, positions=[0, 2, 4, 20, 22])
            answer, says = ask(parse(kind, {}), uneven), "between image"
        else:
            answer = ask(parse(kind, fields), study)
        assert not answer.ok
        assert says in answer.reason or kind == "volume"

    def test_forbids_keys_that_it_does_not_know(self, kind):
        with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
            parse(kind, EXAMPLES[kind][1] | {"colour": "red"})

    def test_has_a_schema_that_explains_every_field(self, kind):
        schema = json.loads(json.dumps(EXAMPLES[kind][0].model_json_schema()))
        own = schema["$defs"][schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else schema
        assert own["additionalProperties"] is False
        assert own["description"]
        assert all("description" in field for name, field in own["properties"].items() if name != "kind")

    def test_is_frozen(self, kind):
        predicate = parse(kind, EXAMPLES[kind][1])
        with pytest.raises(ValidationError, match="frozen"):
            predicate.kind = "other"

    @pytest.mark.parametrize("number", range(len(ODD_HEADERS)))
    def test_answers_about_odd_headers_too(self, kind, number):
        answer = ask(parse(kind, EXAMPLES[kind][1]), study_of(ODD_HEADERS[number], positions=[0, 1]))
        assert isinstance(answer.ok, bool)
        assert answer.reason.isprintable()


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("slices", {}),
        ("slices", {"at_least": 9, "at_most": 3}),
        ("coverage_mm", {"at_least": -1}),
        ("image_type", {}),
        ("modality", {"any_of": []}),
        ("text", {"matches": "("}),
        ("body_part", {"any_of": ["tail"]}),
        ("orientation", {"any_of": ["diagonal"]}),
    ],
)
def test_settings_that_make_no_sense_are_refused(kind, fields):
    with pytest.raises(ValidationError):
        parse(kind, fields)


def test_an_unknown_kind_is_answered_with_those_there_are():
    with pytest.raises(ValidationError) as caught:
        parse("colour", {})
    assert all(kind in str(caught.value) for kind in KINDS)
