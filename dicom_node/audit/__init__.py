"""The audit trail (PS3.15 A.5): who did what with whose images, kept in a spool of its own and sent by syslog.

Patient identifiers belong into these messages and nowhere else: no other log, file name or status shows them.
"""
