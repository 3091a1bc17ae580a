import pytest

from inference.phantom import make_case


@pytest.fixture(scope="session")
def brain_case():
    """A brain with one enhancing tumour."""
    return make_case("brain_tumour", 3)


@pytest.fixture(scope="session")
def chest_case():
    """A chest with several nodules."""
    return make_case("lung_nodule", 11)


@pytest.fixture(scope="session")
def abdomen_case():
    """An abdomen in the portal-venous phase, with several tumours."""
    return make_case("liver_tumour", 2)
