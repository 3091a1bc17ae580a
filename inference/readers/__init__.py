"""Files to a Volume: DICOM, NIfTI, MetaImage."""
