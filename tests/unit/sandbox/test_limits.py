import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.sandbox.windows import SlidingWindows, parse_limits, retry_after
from tests.unit.sandbox.talk import Open


def test_limits_are_read_with_their_units() -> None:
    read = parse_limits("10/s, 300/min,5/10s , 7/2h")

    assert [(limit.count, limit.window_s) for limit in read] == [(10, 1.0), (300, 60.0), (5, 10.0), (7, 7200.0)]
    assert parse_limits("") == ()


@pytest.mark.parametrize("part", ["10", "ten/s", "10/fortnight", "0/s", "10/0s", "-1/s", "1.5/s"])
def test_a_limit_that_cannot_be_read_is_an_error_that_names_it(part: str) -> None:
    with pytest.raises(ValueError, match=r"^limits: ") as caught:
        parse_limits(f"3/s, {part}")
    assert f'"{part}"' in str(caught.value)


@given(steps=st.lists(st.sampled_from([0.0, 1 / 64, 0.25, 0.5, 1.0]), max_size=80))
def test_no_window_ever_holds_more_than_its_limit_and_nobody_is_refused_without_need(steps: list[float]) -> None:
    """Against a plain count over everything admitted so far."""
    windows = SlidingWindows(parse_limits("3/s, 5/3s"))
    admitted: list[float] = []
    t = 0.0
    for step in steps:
        t += step
        room = all(
            sum(t - width < earlier <= t for earlier in admitted) < count for count, width in ((3, 1.0), (5, 3.0))
        )
        wait = windows.admit("k", t)
        assert (wait == 0.0) == room
        if room:
            admitted.append(t)
    assert windows.violations == len(steps) - len(admitted)


def test_whoever_waits_as_told_is_admitted() -> None:
    windows = SlidingWindows(parse_limits("2/s, 3/10s"))
    assert [windows.admit("k", t) for t in (0.0, 0.5)] == [0.0, 0.0]

    assert windows.admit("k", 0.6) == pytest.approx(0.4)
    assert windows.admit("k", 1.0) == 0.0
    assert windows.admit("k", 2.0) == pytest.approx(8.0)
    assert windows.admit("k", 10.0) == 0.0


def test_keys_have_windows_of_their_own_and_peaks_count_the_refused_too() -> None:
    windows = SlidingWindows(parse_limits("2/s"))

    assert [windows.admit(key, 0.0) > 0 for key in "aaabb"] == [False, False, True, False, False]
    assert (windows.violations, windows.peaks) == (1, {"2/s": 3})


@pytest.mark.parametrize(("wait_s", "text"), [(0.01, "1"), (1.0, "1"), (1.2, "2")])
def test_retry_after_is_whole_seconds_rounded_up(wait_s: float, text: str) -> None:
    assert retry_after(wait_s) == text


async def test_too_many_requests_are_answered_by_429_with_retry_after_and_change_nothing(open_sandbox: Open) -> None:
    talk = await open_sandbox(limits="3/10s")
    body = {"data": {"jobs": [{"uidSecondary": "A"}]}}

    answers = [await talk.post("/api/createjobs", body) for _ in range(3)]
    refused = await talk.post("/api/createjobs", body)
    other_key = await talk.post("/api/createjobs", body, key="another")
    v1 = await talk.get("/v1/jobs")

    assert [answer.status for answer in answers] == [200, 200, 200]
    assert refused.status == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 10
    assert refused.json["status"] == 1
    assert other_key.status == 200
    assert (v1.status, "message" in v1.json["error"]) == (429, True)
    assert talk.sandbox.sends("A") == 4
    assert talk.sandbox.stats()["limit_violations"] == 2
    assert talk.sandbox.stats()["peaks"] == {"3/10s": 5}


async def test_a_key_in_the_body_is_limited_like_one_in_the_header(open_sandbox: Open) -> None:
    talk = await open_sandbox(limits="1/10s")
    body = {"auth": {"usr": "a", "key": "k"}, "data": {}}

    statuses = [(await talk.post("/api/getcompany", body, key="")).status for _ in range(2)]

    assert statuses == [200, 429]


async def test_arrivals_are_kept_by_path_so_that_a_test_can_measure_them(open_sandbox: Open) -> None:
    talk = await open_sandbox()
    before = time.monotonic()
    for _ in range(3):
        await talk.post("/api/getcompany", {"data": {}})
        await asyncio.sleep(0.02)

    times = list(talk.sandbox.arrivals["/api/getcompany"])

    assert len(times) == 3
    assert times == sorted(times)
    assert before <= times[0]
    assert times[2] - times[0] >= 0.04
