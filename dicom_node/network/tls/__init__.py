"""DICOM TLS: settings of both ends, calling, renewal, and its faults in words."""
