"""highdicom's tables of the standard, read: 22 MB of JSON that a process reads once, and its forked children never."""

from highdicom._standard_utils import is_attribute_in_iod
from pydicom.uid import ComprehensiveSRStorage

is_attribute_in_iod("ContentDate", ComprehensiveSRStorage)
