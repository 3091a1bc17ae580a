"""What can go wrong between a series and a finding.

InferenceError
├─ Unfit            the input is not what the task needs; ends the job REFUSED, never retried by itself
│  └─ BadGeometry   the slices do not make one volume; names the slices
├─ DataError        a data set for training or evaluation, or its split, is not what it should be
│  ├─ WrongFolder   a folder does not hold the layout that it should; says what was looked for and what is there
│  ├─ BadCase       one case cannot be used; names the case and its file
│  ├─ Leak          what is scored was learnt from, or may have been
│  └─ StaleSplit    a split does not fit its data set any more
├─ Unscorable       what is to be judged does not fit together (cases, masks, scores); names it and the way out
├─ ModelError       the model, its files or its code failed; ends the job FAILED with this reason
│  ├─ BundleBroken  missing or changed file, wrong hash, unreadable configuration
│  └─ Exhausted     device memory did not suffice, whatever was tried
├─ ClusterError     the cluster that models are to run on cannot be used as it is; says the way out
└─ WorkerDied       the worker process ended under the job (crash, kill, time limit, stop); may be tried again
"""

from __future__ import annotations


class InferenceError(Exception):
    """Root of what this package raises on purpose; the message is fit for IT and names no patient."""


class Unfit(InferenceError):
    """The input is not fit for the task; the message is the reason that a radiographer reads."""


class BadGeometry(Unfit):
    """The slices of a series do not form one regular volume."""


class DataError(InferenceError):
    """A data set for training or evaluation is not what it should be."""


class WrongFolder(DataError):
    """A folder does not hold the layout that it should."""


class BadCase(DataError):
    """One case of a data set cannot be used, and why."""

    def __init__(self, case_id: str, reason: str) -> None:
        super().__init__(case_id, reason)  # both are args, so that it survives being pickled
        self.case_id = case_id
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.case_id}: {self.reason}"


class Leak(DataError):
    """What is scored was learnt from: a patient in two groups of a split, another split, phantoms seen before."""


class StaleSplit(DataError):
    """A split file is damaged, or its data set has other cases than it had."""


class Unscorable(InferenceError):
    """An evaluation was given what cannot be compared, counted or read."""


class ModelError(InferenceError):
    """The model could not be run."""


class BundleBroken(ModelError):
    """A bundle's files are missing, changed or not readable."""


class Exhausted(ModelError):
    """Device memory did not suffice."""


class ClusterError(InferenceError):
    """A cluster cannot be reached or joined, or is not of this version; no fault of a job."""


class WorkerDied(InferenceError):
    """The worker process ended before it answered; `stopped` where we ended it for no fault of the job."""

    def __init__(self, message: str, *, timed_out: bool = False, stopped: bool = False) -> None:
        super().__init__(message)
        self.timed_out = timed_out
        self.stopped = stopped

    @classmethod
    def at_limit(cls, limit_s: float) -> WorkerDied:
        """That of a job that took too long."""
        return cls(f"the job exceeded its time limit of {limit_s:g} s; its worker was killed", timed_out=True)


def error_named(name: str, sentence: str) -> InferenceError:
    """An error as another process told it; one that is not known here is the model's."""
    kind: type[InferenceError] = globals().get(name, ModelError)
    return kind(sentence)
