"""Results as DICOM objects, one file an IOD. highdicom is used here and nowhere else."""
