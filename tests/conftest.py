from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from meterseal import _core

# how long an example takes says how busy the machine is, and nothing of the code
settings.register_profile("searching", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# the fast tests take the same examples in every run; `make test-all` searches for new ones
settings.register_profile("steady", settings.get_profile("searching"), derandomize=True)
settings.load_profile("steady")


@pytest.fixture(params=_core.available_backends())
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run the test once on every back-end that this CPU has."""
    before = _core.backend()
    _core.force_backend(request.param)
    yield request.param
    _core.force_backend(before)
