"""What can go wrong between a series and a finding.

InferenceError
├─ Unfit            the input is not what the task needs; ends the job REFUSED, never retried by itself
│  └─ BadGeometry   the slices do not make one volume; names the slices
├─ Unscorable       what is to be judged does not fit together (cases, masks, scores); names it and the way out
├─ ModelError       the model, its files or its code failed; ends the job FAILED with this reason
│  ├─ BundleBroken  missing or changed file, wrong hash, unreadable configuration
│  └─ Exhausted     device memory did not suffice, whatever was tried
└─ WorkerDied       the worker process ended under the job (crash, kill, time limit, stop); may be tried again
"""

from __future__ import annotations


class InferenceError(Exception):
    """Root of what this package raises on purpose; the message is fit for IT and names no patient."""


class Unfit(InferenceError):
    """The input is not fit for the task; the message is the reason that a radiographer reads."""


class BadGeometry(Unfit):
    """The slices of a series do not form one regular volume."""


class Unscorable(InferenceError):
    """An evaluation was given what cannot be compared, counted or read."""


class ModelError(InferenceError):
    """The model could not be run."""


class BundleBroken(ModelError):
    """A bundle's files are missing, changed or not readable."""


class Exhausted(ModelError):
    """Device memory did not suffice."""


class WorkerDied(InferenceError):
    """The worker process ended before it answered; `stopped` where we ended it for no fault of the job."""

    def __init__(self, message: str, *, timed_out: bool = False, stopped: bool = False) -> None:
        super().__init__(message)
        self.timed_out = timed_out
        self.stopped = stopped
