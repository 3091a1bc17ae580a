import pytest

from inference.phantom import make_case


@pytest.fixture(scope="session")
def brain_case():
    """A brain with one enhancing tumour."""
    return make_case("brain_tumour", 3)
