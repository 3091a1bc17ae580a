"""`python -m dicom_node.cli` is `segnode`."""

from dicom_node.cli.main import main

main()
