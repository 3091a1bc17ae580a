"""A model's words become the task's by name, and a wrong name is answered with those that there are."""

import numpy as np
import pytest

from inference.backends.manifest import Described, Names, translated
from inference.errors import BundleBroken, ModelError
from inference.tasks import BRAIN_TUMOUR, LIVER_TUMOUR, LUNG_NODULE

BRATS = Described(name="m", version="1", channels=("T1c", "T1", "T2", "FLAIR"), finds=("ED", "NCR", "ET"))
NAMES = Names(inputs={"T1": "T1", "T1c": "T1ce", "FLAIR": "FLAIR", "T2": "T2"},
              outputs={"ET": "Enhancing tumour", "NCR": "Necrotic core", "ED": "Oedema"})

# How the data sets of BraTS number the same three things.
ENCODINGS = {
    "of 2018, in the Model Zoo": {"NCR": 1, "ED": 2, "ET": 4},
    "of nnU-Net's conversion": {"ED": 1, "NCR": 2, "ET": 3},
    "of 2023": {"NCR": 1, "ED": 2, "ET": 3},
}


def test_roles_come_in_the_order_of_the_channels():
    assert NAMES.roles(BRATS.channels, BRAIN_TUMOUR) == ("T1ce", "T1", "T2", "FLAIR")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_encoding_of_brats_becomes_the_tasks(encoding):
    numbers = ENCODINGS[encoding]
    answer = np.array([[[0, numbers["NCR"], numbers["ED"], numbers["ET"]]]])
    labels = translated(answer, {number: name for name, number in numbers.items()},
                        NAMES.labels(BRATS.finds, BRAIN_TUMOUR))
    assert labels.tolist() == [[[0, 1, 2, 3]]]
    assert labels.dtype == np.uint8


def test_equal_names_need_no_saying():
    assert Names().roles(("flair", "T1", "T2", "T1CE"), BRAIN_TUMOUR) == ("FLAIR", "T1", "T2", "T1ce")
    assert Names().labels(("liver", "Liver Tumour"), LIVER_TUMOUR) == {"liver": 1, "Liver Tumour": 2}


def test_one_channel_and_one_role_need_no_saying():
    assert Names().roles(("image",), LUNG_NODULE) == ("CT",)


def test_what_is_not_listed_is_left_out():
    names = Names(outputs={"tumor": "Liver tumour"})
    assert names.labels(("liver", "tumor", "spleen"), LIVER_TUMOUR) == {"tumor": 2}


@pytest.mark.parametrize(("names", "sentence"), [
    (Names(outputs={"tumour": "Oedema"}), "Model m does not find 'tumour'. It finds: ED, NCR, ET."),
    (Names(inputs={"T1gd": "T1ce"}), "Model m has no input 'T1gd'. It has: T1c, T1, T2, FLAIR."),
    (Names(inputs={"T1": "T1", "T1c": "T1ce"}), "Model m needs T2, FLAIR as well"),
])
def test_a_name_that_is_none_of_the_models_is_told(names, sentence):
    with pytest.raises(BundleBroken) as told:
        names.check_model(BRATS)
    assert sentence in str(told.value)


@pytest.mark.parametrize(("names", "sentence"), [
    (Names(inputs={"T1c": "T1CE"}), "has no role 'T1CE'. It has: T1, T1ce, T2, FLAIR."),
    (Names(outputs={"ED": "Edema"}), "has no structure 'Edema'. It has: Necrotic core, Oedema, Enhancing tumour."),
])
def test_a_name_that_is_none_of_the_tasks_is_told(names, sentence):
    with pytest.raises(BundleBroken) as told:
        names.check_task(BRAIN_TUMOUR)
    assert sentence in str(told.value)


def test_names_that_are_not_alike_must_be_mapped():
    with pytest.raises(BundleBroken, match=r"Which of Liver, Liver tumour is the model's finding 'tumor'\? .* outputs"):
        Names().labels(("liver", "tumor"), LIVER_TUMOUR)
    with pytest.raises(BundleBroken, match=r"Which of T1, T1ce, T2, FLAIR is the model's input 'T1c'\? .* inputs"):
        Names().roles(BRATS.channels, BRAIN_TUMOUR)


def test_a_number_without_a_name_is_no_answer():
    with pytest.raises(ModelError, match="answered with 4, which none of its names stands for"):
        translated(np.array([0, 4]), {1: "NCR"}, {"NCR": 1})
