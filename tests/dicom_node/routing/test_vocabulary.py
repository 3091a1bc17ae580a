"""Words in several languages, kernels of several vendors."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from dicom_node.errors import ConfigurationError
from dicom_node.routing.header import plain
from dicom_node.routing.vocabulary import Kernel, Nature, Region, Vocabulary, compiled

HEAD, CHEST, ABDOMEN, PELVIS, SPINE, LIMB = (
    Region.HEAD, Region.CHEST, Region.ABDOMEN, Region.PELVIS, Region.SPINE, Region.LIMB,
)  # fmt: skip


@pytest.mark.parametrize(
    ("description", "regions"),
    [
        ("MR Brain w/wo contrast", {HEAD}), ("MRT Kopf nativ + KM", {HEAD}), ("IRM cérébrale", {HEAD}),
        ("RM encéfalo", {HEAD}), ("RM encefalo con mdc", {HEAD}), ("Hersenen", {HEAD}), ("Schädel", {HEAD}),
        ("CT Chest", {CHEST}), ("Thorax 1.0 Bl57", {CHEST}), ("TDM thoracique", {CHEST}), ("TC tórax", {CHEST}),
        ("Lunge nativ", {CHEST}), ("TC torace", {CHEST}), ("HRCT", {CHEST}), ("RCCTPET_THORAX_CONTRAST", {CHEST}),
        ("CT Abdomen", {ABDOMEN}), ("Oberbauch portalvenös", {ABDOMEN}), ("Foie 3 phases", {ABDOMEN}),
        ("TC addome", {ABDOMEN}), ("Leber dyn.", {ABDOMEN}), ("CT hígado", {ABDOMEN}), ("Buik", {ABDOMEN}),
        ("CT abdomen/pelvis", {ABDOMEN, PELVIS}), ("Abdomen-Becken", {ABDOMEN, PELVIS}),
        ("CAP", {CHEST, ABDOMEN, PELVIS}), ("Thorax/Abdomen/Becken", {CHEST, ABDOMEN, PELVIS}),
        ("ThorAbd", {CHEST, ABDOMEN}), ("CHESTABDPELVIS", {CHEST, ABDOMEN, PELVIS}), ("Ganzkörper", {CHEST, ABDOMEN}),
        ("Polytrauma", {CHEST, ABDOMEN}), ("L-Spine", {SPINE}), ("LWS", {SPINE}), ("Knie links", {LIMB}),
        ("genou droit", {LIMB}), ("UPPEREXTREMITY", {LIMB}), ("Head First Supine", set()), ("CT Body 3.0", set()),
        ("FDG_TK_KM", set()), ("t1_mpr_tra", set()), ("delivery", set()), ("Abduction view", set()), ("", set()),
    ],
)  # fmt: skip
def test_regions(description, regions):
    assert Vocabulary().regions_in(plain(description)) == regions


@pytest.mark.parametrize(
    ("description", "nature"),
    [
        ("localizer", Nature.LOCALIZER), ("Scout", Nature.LOCALIZER), ("Topogramm 0.6", Nature.LOCALIZER),
        ("3 Plane Loc", Nature.LOCALIZER), ("Surview", Nature.LOCALIZER), ("AAHead_Scout", Nature.LOCALIZER),
        ("AAHScout", Nature.LOCALIZER),
        ("Dose Report", Nature.DOSE), ("Patient Protocol", Nature.DOSE), ("PreMonitoring", Nature.MONITORING),
        ("SmartPrep Series", Nature.MONITORING), ("Screen Save", Nature.SECONDARY_CAPTURE),
        ("MIP ax", Nature.PROJECTION),
        ("mIP_Images(SW)", Nature.PROJECTION), ("VRT", Nature.PROJECTION), ("Reformatted", Nature.REFORMATTED),
        ("ADC", Nature.MAP), ("ep2d_diff_ADC", Nature.DIFFUSION), ("Iodine no water", Nature.MAP), ("rCBV", Nature.MAP),
        ("MonoE 40keV[HU]", Nature.MAP), ("Mono 40 keV", Nature.MAP), ("Mono+ 50 keV", Nature.MAP),
        ("GSI 70 KeV", Nature.MAP), ("Calcium Suppression 75 Index[HU*]", Nature.MAP),
        ("Electron Density[%EDW]", Nature.MAP),
        ("DWI b1000", Nature.DIFFUSION), ("TOF 3D", Nature.ANGIOGRAPHY), ("SUB T1", Nature.SUBTRACTION),
        ("t1_vibe_dixon_tra_F", Nature.FAT), ("t1_vibe_dixon_tra_opp", Nature.FAT), ("FAT: Ax T1 Flex", Nature.FAT),
        ("T1 out of phase", Nature.FAT), ("mDIXON fat fraction", Nature.FAT),
    ],
)  # fmt: skip
def test_natures(description, nature):
    assert nature in Vocabulary().natures_in(plain(description))


@pytest.mark.parametrize(
    "description",
    ["t1_mpr_tra_gk_v4", "Thorax Low Dose 1.0", "AX T2 FLAIR", "Abdomen portal 3.0", "t1_mprage_sag_km", "Chest lung",
     "t1_vibe_dixon_tra_W", "t1_vibe_dixon_tra_in", "WATER: Ax T1 Flex", "Fat Sat T1 ax", "T2 Dixon fat sat", "FS T1",
     "Abdomen 120 kV"],
)
def test_plain_acquisitions_have_no_nature(description):
    assert Vocabulary().natures_in(plain(description)) == set()


@pytest.mark.parametrize(
    ("kernel", "expected"),
    [
        ("b30f", Kernel.SOFT), ("b19f", Kernel.SOFT), ("br38f", Kernel.SOFT), ("i31f", Kernel.SOFT),
        ("qr40", Kernel.SOFT),
        ("b70f", Kernel.SHARP), ("br64", Kernel.SHARP), ("bl57", Kernel.SHARP), ("i70f", Kernel.SHARP),
        ("standard", Kernel.SOFT), ("soft", Kernel.SOFT), ("lung", Kernel.SHARP), ("boneplus", Kernel.SHARP),
        ("b", Kernel.SOFT), ("c", Kernel.SOFT), ("ya", Kernel.SHARP), ("l", Kernel.SHARP),
        ("fc08", Kernel.SOFT), ("fc13", Kernel.SOFT), ("fc52", Kernel.SHARP), ("fc86", Kernel.SHARP),
        ("b_soft_b", Kernel.SOFT), ("b_sharp_c", Kernel.SHARP), ("mystery", Kernel.UNKNOWN),
    ],
)  # fmt: skip
def test_kernels_of_the_vendors(kernel, expected):
    assert Vocabulary().kernel(kernel, "") is expected


def test_a_description_tells_the_kernel_where_the_header_does_not():
    assert Vocabulary().kernel("", "thorax lunge 1.0") is Kernel.SHARP
    assert Vocabulary().kernel("", "abdomen weichteil") is Kernel.SOFT
    assert Vocabulary().kernel("b30f", "lung") is Kernel.SOFT
    assert Vocabulary().kernel("", "abdomen 3.0") is Kernel.UNKNOWN


def test_a_site_replaces_one_key_and_keeps_the_others():
    own = Vocabulary.model_validate(
        {"regions": {"head": "golova"}, "natures": {"localizer": "uebersichtsbild"}, "kernels": {"soft": ["^mystery"]}}
    )
    assert own.regions_in("golova") == {HEAD}
    assert own.regions_in("brain") == set()
    assert own.regions_in("thorax") == {CHEST}
    assert own.natures_in("uebersichtsbild mip") == {Nature.LOCALIZER, Nature.PROJECTION}
    assert own.kernel("mystery", "") is Kernel.SOFT


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"regions": {"head": "("}}, "not a regular expression"),
        ({"regions": {"tail": "x"}}, "Input should be 'head'"),
        ({"kernels": {"unknown": ["x"]}}, "soft or sharp"),
        ({"colours": {}}, "Extra inputs"),
    ],
)
def test_what_is_wrong_in_a_vocabulary_is_said(wrong, says):
    with pytest.raises(ValidationError, match=says):
        Vocabulary.model_validate(wrong)


def test_the_shipped_routes_name_every_nature():
    lines = (Path(__file__).parents[3] / "conf" / "routes.yaml").read_text().splitlines()
    said = " ".join(line.strip().lstrip("# ") for line in lines)
    listed = said.split("all of them if absent): ")[1].split(" body_part ")[0]
    assert listed == ", ".join(Nature)


@pytest.mark.parametrize(
    ("expression", "description"),
    [("Portal", "Portal venous"), ("Schädel", "SCHÄDEL nativ"), ("[ÄÖÜ]bersicht", "Übersicht"), ("GROSS|GROẞ", "groß"),
     (r"\bGŁOW[AY]\b", "głowa"), (r"\S{3}\b", "CAP")],
)  # fmt: skip
def test_an_expression_is_found_however_case_and_accents_are_written(expression, description):
    assert compiled(expression).search(plain(description))


def test_an_expression_that_takes_too_long_is_refused_before_it_is_used():
    with pytest.raises(ValidationError, match=r"takes too long on a text of 65 characters: repeat nothing"):
        Vocabulary(regions={"head": "^(a|aa)+$"})


def test_one_that_takes_too_long_on_a_text_that_comes_later_says_so():
    with pytest.raises(ConfigurationError, match="takes too long"):
        compiled("^(x|xx)+$").search("x" * 64 + "!")
