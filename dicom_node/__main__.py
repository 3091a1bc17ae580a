"""`python -m dicom_node` is `segnode`."""

from dicom_node.cli.main import main

main()
