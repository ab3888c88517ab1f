from collections.abc import Iterator

import pytest

from meterseal import _core


@pytest.fixture(params=_core.available_backends())
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run the test once on every back-end that this CPU has."""
    before = _core.backend()
    _core.force_backend(request.param)
    yield request.param
    _core.force_backend(before)
