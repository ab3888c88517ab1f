"""Sessions end, and guessing is slowed down."""

from __future__ import annotations

from meterseal.collection.display.sessions import LIFETIME, Sessions, Throttle
from meterseal.collection.display.users import Role, User

NOW = 1_000_000
USER = User("vera", Role.VIEWER, "")
QUARTER = 15 * 60_000


def test_a_session_ends_by_time_or_by_leaving() -> None:
    sessions = Sessions()
    one, other = sessions.begin(USER, NOW), sessions.begin(USER, NOW)
    assert one.token != other.token
    assert sessions.find(one.token, NOW + LIFETIME - 1) == one
    assert sessions.find(one.token, NOW + LIFETIME) is None
    assert sessions.find(one.token, NOW) is None
    sessions.end(other.token)
    assert sessions.find(other.token, NOW) is None
    assert sessions.find("", NOW) is None


def test_the_oldest_of_too_many_sessions_ends() -> None:
    sessions = Sessions()
    first, *rest = [sessions.begin(USER, NOW) for _ in range(1001)]
    assert sessions.find(first.token, NOW) is None
    assert all(sessions.find(each.token, NOW) for each in rest)


def test_a_name_from_an_address_has_five_attempts() -> None:
    throttle = Throttle()
    assert [throttle.admit("vera", "a", NOW) for _ in range(6)] == [0, 0, 0, 0, 0, QUARTER]
    assert throttle.admit("vera", "a", NOW + QUARTER - 1) == 1
    assert throttle.admit("vera", "b", NOW) == 0
    assert throttle.admit("otto", "a", NOW) == 0
    assert throttle.admit("vera", "a", NOW + QUARTER) == 0


def test_an_address_has_thirty_attempts_at_any_names() -> None:
    throttle = Throttle()
    waits = [throttle.admit(f"user-{n}", "a", NOW) for n in range(31)]
    assert waits == [0] * 30 + [QUARTER]


def test_whoever_knows_the_password_starts_anew() -> None:
    throttle = Throttle()
    for _ in range(200):
        assert throttle.admit("vera", "a", NOW) == 0
        throttle.succeed("vera", "a")


def test_guesses_under_many_names_do_not_fill_the_memory() -> None:
    throttle = Throttle()
    for n in range(6000):
        throttle.admit(f"user-{n}", f"address-{n}", NOW)
    assert len(throttle._failures) <= 10_000
