"""A data set that differs from another in a few values leaves that as it is."""

from pydicom.dataset import Dataset

from dicom_node.objects.variation import varied


def test_only_the_named_values_differ_and_the_other_stays() -> None:
    image = Dataset()
    image.Rows, image.Columns, image.Modality = 512, 256, "CT"
    small = varied(image, Rows=1, Columns=3)
    assert (small.Rows, small.Columns, small.Modality) == (1, 3, "CT")
    assert (image.Rows, image.Columns) == (512, 256)
    assert small["Modality"] is image["Modality"]
