"""What the node takes, restated by hand."""

import pytest
from pydicom import uid

from dicom_node.network.contexts import STORAGE_CLASSES, TRANSFER_SYNTAXES, supported_contexts
from storage.records import InstanceKind

IMAGES = {
    "CT": uid.CTImageStorage,
    "enhanced CT": uid.EnhancedCTImageStorage,
    "legacy converted CT": uid.LegacyConvertedEnhancedCTImageStorage,
    "MR": uid.MRImageStorage,
    "enhanced MR": uid.EnhancedMRImageStorage,
    "PET": uid.PositronEmissionTomographyImageStorage,
    "NM": uid.NuclearMedicineImageStorage,
    "US": uid.UltrasoundImageStorage,
    "US, retired": "1.2.840.10008.5.1.4.1.1.6",
    "CR": uid.ComputedRadiographyImageStorage,
    "DX": uid.DigitalXRayImageStorageForPresentation,
    "XA": uid.XRayAngiographicImageStorage,
    "tomosynthesis": uid.BreastTomosynthesisImageStorage,
    "secondary capture": uid.SecondaryCaptureImageStorage,
}
OTHERS = {
    "surface segmentation": uid.SurfaceSegmentationStorage,
    "height map": "1.2.840.10008.5.1.4.1.1.66.8",
    "basic text SR": uid.BasicTextSRStorage,
    "dose report": uid.XRayRadiationDoseSRStorage,
    "presentation state": uid.GrayscaleSoftcopyPresentationStateStorage,
    "colour presentation state": uid.ColorSoftcopyPresentationStateStorage,
    "PDF": uid.EncapsulatedPDFStorage,
    "RT structure set": uid.RTStructureSetStorage,
}
NOT_TAKEN = {
    "RT plan": uid.RTPlanStorage,
    "RT dose": uid.RTDoseStorage,
    "RT image": uid.RTImageStorage,
    "ECG": uid.TwelveLeadECGWaveformStorage,
    "raw data": uid.RawDataStorage,
}


@pytest.mark.parametrize("name", IMAGES)
def test_images_may_be_a_jobs_input(name):
    assert STORAGE_CLASSES[IMAGES[name]] is InstanceKind.IMAGE


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_image_is_taken_and_means_no_work(name):
    assert STORAGE_CLASSES[OTHERS[name]] is InstanceKind.OTHER


def test_key_objects_are_taken_and_read_for_what_they_reject():
    assert STORAGE_CLASSES[uid.KeyObjectSelectionDocumentStorage] is InstanceKind.NOTE


@pytest.mark.parametrize("sop_class", [uid.SegmentationStorage, "1.2.840.10008.5.1.4.1.1.66.7"])
def test_segmentations_are_taken_and_read_for_what_they_correct(sop_class):
    assert STORAGE_CLASSES[sop_class] is InstanceKind.SEGMENTATION


@pytest.mark.parametrize(
    "sop_class", [uid.Comprehensive3DSRStorage, uid.ComprehensiveSRStorage, uid.EnhancedSRStorage]
)
def test_measurement_reports_are_taken_and_read_for_what_they_correct(sop_class):
    assert STORAGE_CLASSES[sop_class] is InstanceKind.REPORT


@pytest.mark.parametrize("name", NOT_TAKEN)
def test_the_rest_is_not_taken(name):
    assert NOT_TAKEN[name] not in STORAGE_CLASSES


def test_every_syntax_that_a_decoder_here_reads_is_taken():
    assert {str(syntax) for syntax in TRANSFER_SYNTAXES} == {
        "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2",
        "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.57",
        "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81", "1.2.840.10008.1.2.4.90",
        "1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203",
    }  # fmt: skip


def test_verification_is_offered_and_each_class_once():
    offered = [context.abstract_syntax for context in supported_contexts()]
    assert "1.2.840.10008.1.1" in offered
    assert len(offered) == len(set(offered)) == len(STORAGE_CLASSES) + 1
