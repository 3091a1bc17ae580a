"""What is left out, and what must not be."""

import pytest

from dicom_node.routing.natures import natures_of
from dicom_node.routing.vocabulary import Nature, Vocabulary


def natures(modality="CT", images=100, **header):
    return natures_of(header, modality=modality, images=images, vocabulary=Vocabulary())


@pytest.mark.parametrize(
    ("modality", "image_type", "nature"),
    [
        ("CT", "ORIGINAL\\PRIMARY\\LOCALIZER\\CT_SOM5 TOP", Nature.LOCALIZER),
        ("MR", "ORIGINAL\\PRIMARY\\LOCALIZER\\ND", Nature.LOCALIZER),
        ("CT", "DERIVED\\SECONDARY\\MPR\\CT_SOM5 MPR", Nature.REFORMATTED),
        ("CT", "DERIVED\\SECONDARY\\REFORMATTED\\AVERAGE", Nature.REFORMATTED),
        ("CT", "ORIGINAL\\PRIMARY\\AXIAL\\CT_SOM5 MPR", Nature.REFORMATTED),
        ("MR", "DERIVED\\SECONDARY\\MPR\\CSA MPR", Nature.REFORMATTED),
        ("MR", "DERIVED\\PRIMARY\\PROJECTION IMAGE\\M_FFE", Nature.PROJECTION),
        ("MR", "DERIVED\\PRIMARY\\DIFFUSION\\ADC\\ND", Nature.MAP),
        ("MR", "DERIVED\\PRIMARY\\DIFFUSION\\TRACEW\\ND", Nature.DIFFUSION),
        ("MR", "DERIVED\\SECONDARY\\SUBTRACT\\ND", Nature.SUBTRACTION),
        ("MR", "ORIGINAL\\PRIMARY\\P\\ND", Nature.PHASE),
        ("MR", "DERIVED\\PRIMARY\\F\\F\\DERIVED", Nature.FAT),
        ("MR", "DERIVED\\PRIMARY\\DIXON\\FAT\\ND", Nature.FAT),
        ("MR", "ORIGINAL\\PRIMARY\\M\\NORM\\OPP_PHASE", Nature.FAT),
        ("CT", "ORIGINAL\\PRIMARY\\AXIAL\\EFF_ATOMIC_NUM", Nature.MAP),
        ("CT", "ORIGINAL\\PRIMARY\\AXIAL\\MAT_SPECIFIC", Nature.MAP),
        ("CT", "ORIGINAL\\PRIMARY\\AXIAL\\ELECTRON_DENSITY", Nature.MAP),
        ("CT", "ORIGINAL\\PRIMARY\\AXIAL\\VMI", Nature.MAP),
        ("CT", "DERIVED\\SECONDARY\\OTHER", Nature.DERIVED),
        ("CT", "DERIVED\\SECONDARY", Nature.DERIVED),
        ("CT", "DERIVED", Nature.DERIVED),
        ("CT", "ORIGINAL\\SECONDARY\\AXIAL", Nature.DERIVED),
        ("CT", "DERIVED\\SECONDARY\\SCREEN SAVE", Nature.SECONDARY_CAPTURE),
    ],
)
def test_image_types(modality, image_type, nature):
    found = natures(modality, ImageType=image_type)
    assert nature in found
    assert image_type in found[nature]


@pytest.mark.parametrize(
    ("modality", "image_type", "description"),
    [
        ("CT", "ORIGINAL\\PRIMARY\\AXIAL\\CT_SOM5 SPI", "Thorax 1.0 B70f"),
        ("CT", "ORIGINAL\\PRIMARY\\AXIAL\\HELIX", "ABDOMEN"),
        ("CT", "DERIVED\\PRIMARY\\AXIAL", "recompressed by an archive"),
        ("CT", None, None),
        ("MR", "ORIGINAL\\PRIMARY\\M\\ND", "t1_mpr_tra_gk_v4"),
        ("MR", "ORIGINAL\\PRIMARY\\M_FFE\\M\\FFE", "T1W 3D TFE"),
        ("MR", "ORIGINAL\\PRIMARY\\OTHER", "Ax T2 FLAIR"),
        ("MR", "ORIGINAL\\PRIMARY\\M\\NORM\\DIS2D", "t2_tse_tra"),
        ("CT", "ORIGINAL\\PRIMARY\\AXIAL", "CT ANGIO CHEST"),
    ],
)
def test_plain_acquisitions(modality, image_type, description):
    assert natures(modality, ImageType=image_type, SeriesDescription=description) == {}


def test_objects_that_are_no_slices():
    assert Nature.NO_IMAGE in natures("SR", images=0)
    assert Nature.SECONDARY_CAPTURE in natures("CT", SOPClassUID="1.2.840.10008.5.1.4.1.1.7")
    assert Nature.SECONDARY_CAPTURE in natures("CT", SOPClassUID="1.2.840.10008.5.1.4.1.1.7.4")
    assert Nature.SECONDARY_CAPTURE in natures("CT", SamplesPerPixel=3)
    assert Nature.DOSE in natures("CT", SeriesDescription="Dose Report")


def test_sequences_that_are_no_anatomy():
    assert Nature.DIFFUSION in natures("MR", DiffusionBValue="1000")
    assert Nature.DIFFUSION not in natures("MR", DiffusionBValue=0)
    assert Nature.FUNCTIONAL in natures("MR", ScanningSequence="EP\\SE")
    assert Nature.FUNCTIONAL in natures("MR", SeriesDescription="pCASL 3D"), "by its times it would be a FLAIR"
    assert Nature.ANGIOGRAPHY in natures("MR", SeriesDescription="Ax 3D head", AngioFlag="Y")
    assert natures("MR", SeriesDescription="Ax T1", AngioFlag="N") == {}


@pytest.mark.parametrize(
    ("keyword", "value", "nature"),
    [
        ("ComplexImageComponent", "PHASE", Nature.PHASE),
        ("ComplexImageComponent", "REAL", Nature.PHASE),
        ("AcquisitionContrast", "DIFFUSION", Nature.DIFFUSION),
        ("AcquisitionContrast", "PERFUSION", Nature.FUNCTIONAL),
        ("AcquisitionContrast", "TOF", Nature.ANGIOGRAPHY),
    ],
)
def test_what_enhanced_images_show_is_said_by_attributes_of_their_own(keyword, value, nature):
    found = natures("MR", ImageType="ORIGINAL\\PRIMARY\\VOLUME\\NONE", **{keyword: value})
    assert list(found) == [nature]
    assert value in found[nature]


@pytest.mark.parametrize("modality", ["CT", "MR"])
@pytest.mark.parametrize(
    ("header", "nature"),
    [
        ({"VolumeBasedCalculationTechnique": "MAX_IP"}, Nature.PROJECTION),
        ({"VolumeBasedCalculationTechnique": "SURFACE_RENDER"}, Nature.PROJECTION),
        ({"VolumeBasedCalculationTechnique": "CURVED_MPR"}, Nature.REFORMATTED),
        ({"ImageType": "DERIVED\\PRIMARY\\VOLUME\\MAXIMUM"}, Nature.PROJECTION),
        ({"ImageType": "DERIVED\\PRIMARY\\VOLUME\\MEAN", "VolumeBasedCalculationTechnique": "NONE"}, None),
    ],
)
def test_enhanced_images_that_are_calculated_from_a_volume_say_how(modality, header, nature):
    found = natures(modality, **({"ImageType": "DERIVED\\PRIMARY\\VOLUME\\NONE"} | header))
    assert list(found) == ([nature] if nature else [])


def test_the_magnitude_of_any_contrast_is_a_plain_acquisition():
    assert natures("MR", ComplexImageComponent="MAGNITUDE", AcquisitionContrast="FLUID_ATTENUATED") == {}
    assert natures("MR", ComplexImageComponent="MIXED", AcquisitionContrast="UNKNOWN") == {}


@pytest.mark.parametrize(
    "description", ["ASSET calibration", "Cal scan", "Ref scan", "SENSE Ref", "Ref_Head_32", "SmartBrain", "B1 map"]
)
def test_what_sets_the_scanner_up_is_no_image_of_a_patient_though_it_weighs_like_a_t1(description):
    assert Nature.CALIBRATION in natures("MR", SeriesDescription=description)


def test_only_a_magnet_is_calibrated():
    assert natures("CT", SeriesDescription="Thorax CAL") == {}


def test_a_protocol_with_bolus_tracking_is_still_a_thorax():
    assert natures("CT", SeriesDescription="Thorax 1.0", ProtocolName="Thorax with bolus tracking") == {}


@pytest.mark.parametrize(
    ("modality", "image_type"),
    [
        ("MR", "DERIVED\\PRIMARY\\W\\W\\DERIVED"),
        ("MR", "DERIVED\\PRIMARY\\DIXON\\WATER\\ND"),
        ("MR", "ORIGINAL\\PRIMARY\\M\\NORM\\IN_PHASE"),
        ("CT", "ORIGINAL\\PRIMARY\\AXIAL\\F"),
    ],
)
def test_water_and_in_phase_images_are_like_any_other(modality, image_type):
    assert natures(modality, ImageType=image_type) == {}
