"""Results as DICOM objects, one file an IOD."""
