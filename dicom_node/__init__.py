"""Speaks DICOM, and decides."""
