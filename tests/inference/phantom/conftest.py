import pytest


@pytest.fixture(scope="session")
def brain_case(drawn_case):
    """A brain with one enhancing tumour."""
    return drawn_case("brain_tumour", 3)


@pytest.fixture(scope="session")
def chest_case(drawn_case):
    """A chest with several nodules."""
    return drawn_case("lung_nodule", 11)


@pytest.fixture(scope="session")
def abdomen_case(drawn_case):
    """An abdomen in the portal-venous phase, with several tumours."""
    return drawn_case("liver_tumour", 2)
