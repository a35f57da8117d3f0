import asyncio
import time
from typing import Any

import aiohttp
import orjson
import pytest

from dispatcher.sandbox.faults import FAULTS, FaultPlan, parse_faults
from tests.unit.sandbox.talk import Open, Talk, job, until

CREATE = "/api/createjobs"


def test_shares_are_read_by_kind() -> None:
    assert parse_faults("429:0.05, slow:0.5,html:0") == {"429": 0.05, "slow": 0.5}
    assert parse_faults("") == {}


def test_all_spreads_its_share_evenly_over_what_is_not_named_beside_it() -> None:
    assert parse_faults("all:0.28") == pytest.approx(dict.fromkeys(FAULTS, 0.02))
    some = parse_faults("all:0.3,slow:0,429:0.1")
    assert "slow" not in some
    assert some["429"] == 0.1
    assert sum(some.values()) == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("429:0.1,explode:0.1", "explode:0.1"),
        ("429", '"429"'),
        ("slow:often", "slow:often"),
        ("slow:1.5", "slow:1.5"),
        ("slow:-0.1", "slow:-0.1"),
        ("slow:nan", "slow:nan"),
        ("slow:0.1,slow:0.2", "slow:0.2"),
        ("slow:0.6,429:0.6", "more than 1"),
    ],
)
def test_a_text_that_cannot_be_read_is_an_error_that_names_the_part(text: str, part: str) -> None:
    with pytest.raises(ValueError, match=r"^faults: ") as caught:
        parse_faults(text)
    assert part in str(caught.value)


def test_the_same_seed_draws_the_same_faults_and_about_as_many_as_asked_for() -> None:
    def drawn(seed: int) -> list[str]:
        plan = FaultPlan("429:0.2, slow:0.1", seed=seed)
        return [fault.kind if (fault := plan.draw(CREATE)) else "" for _ in range(5000)]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    assert drawn(1).count("429") == pytest.approx(1000, abs=120)
    assert drawn(1).count("slow") == pytest.approx(500, abs=90)


def test_requests_on_other_paths_get_no_fault_and_move_nothing() -> None:
    plan, quiet = FaultPlan("429:0.5", seed=3), FaultPlan("429:0.5", seed=3)
    mixed = []
    for _ in range(50):
        assert plan.draw("/api/getjobs") is None
        mixed.append(plan.draw(CREATE) is None)
    assert mixed == [quiet.draw(CREATE) is None for _ in range(50)]


async def _send(talk: Talk, *jobs: dict[str, Any]) -> tuple[int, bytes]:
    body = orjson.dumps({"data": {"jobs": list(jobs)}})
    async with talk.session.post(talk.sandbox.url + CREATE, data=body, headers={"API-Key": "k"}) as response:
        return response.status, await response.read()


@pytest.mark.parametrize(
    ("kind", "status", "header"),
    [("429", 429, None), ("429-retry-after", 429, "0.25"), ("500-before", 500, None), ("503", 503, None)],
)
async def test_faults_that_answer_before_anything_was_done(
    open_sandbox: Open, kind: str, status: int, header: str | None
) -> None:
    talk = await open_sandbox(faults=f"{kind}:1", retry_after_s=0.25)

    answer = await talk.post(CREATE, {"data": {"jobs": [job("A")]}})

    assert (answer.status, answer.headers.get("Retry-After")) == (status, header)
    assert talk.sandbox.created("A") == 0
    assert talk.sandbox.stats()["faults"] == {kind: 1}
    assert talk.sandbox.stats()["http_statuses"] == {str(status): 1}


async def test_a_status_other_than_0_comes_with_http_200_and_nothing_was_done(open_sandbox: Open) -> None:
    talk = await open_sandbox(faults="status:1")

    answer = await talk.post(CREATE, {"data": {"jobs": [job("A")]}})

    assert (answer.status, answer.json["status"], talk.sandbox.created("A")) == (200, 1, 0)


async def test_an_error_after_the_jobs_were_created(open_sandbox: Open) -> None:
    talk = await open_sandbox(faults="500-after:1")

    answer = await talk.post(CREATE, {"data": {"jobs": [job("A")]}})

    assert (answer.status, talk.sandbox.created("A")) == (500, 1)


@pytest.mark.parametrize(("kind", "created"), [("close-before", 0), ("close-after", 1)])
async def test_the_connection_closes_without_a_reply(open_sandbox: Open, kind: str, created: int) -> None:
    talk = await open_sandbox(faults=f"{kind}:1")

    with pytest.raises((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
        await _send(talk, job("A"))

    await until(lambda: talk.sandbox.stats()["http_statuses"] == {"closed": 1})
    assert talk.sandbox.created("A") == created


async def test_a_truncated_reply_begins_well_and_ends_in_the_middle(open_sandbox: Open) -> None:
    talk = await open_sandbox(faults="truncate:1")

    for i in range(8):  # with Content-Length and in chunks, by chance
        with pytest.raises(aiohttp.ClientPayloadError):
            await _send(talk, job(f"k{i}"))
        assert talk.sandbox.created(f"k{i}") == 1


async def test_html_comes_with_200_after_the_jobs_were_created(open_sandbox: Open) -> None:
    talk = await open_sandbox(faults="html:1")

    status, body = await _send(talk, job("A"))

    assert (status, body[:9].lower(), talk.sandbox.created("A")) == (200, b"<!doctype", 1)


async def test_a_slow_reply_comes_late_but_the_jobs_are_there_at_once(open_sandbox: Open) -> None:
    talk = await open_sandbox(faults="slow:1", slow_s=0.3)
    before = time.monotonic()

    sending = asyncio.create_task(_send(talk, job("A")))
    await until(lambda: talk.sandbox.created("A") == 1)
    assert not sending.done()
    status, _ = await sending

    assert status == 200
    assert time.monotonic() - before >= 0.3


async def test_slow_before_creates_the_jobs_late_even_when_the_client_has_gone(open_sandbox: Open) -> None:
    """The nastiest one: a look-up right after the time-out finds nothing, and then the job appears."""
    talk = await open_sandbox(faults="slow-before:1", slow_s=0.4)

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(_send(talk, job("A")), 0.1)

    assert talk.sandbox.created("A") == 0
    await until(lambda: talk.sandbox.created("A") == 1)


async def test_a_key_sent_again_before_its_late_request_took_effect_is_counted(open_sandbox: Open) -> None:
    talk = await open_sandbox(slow_s=0.4)
    talk.sandbox.set_faults(next=["slow-before"])
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(_send(talk, job("A", priority=1)), 0.1)
    await until(lambda: talk.sandbox.stats()["in_flight"] == 0)

    await _send(talk, job("A", priority=2), job("B"))
    stats = talk.sandbox.stats()

    assert (stats["overlaps"], stats["late_overlaps"]) == (0, 1)
    await until(lambda: talk.sandbox.sends("A") == 2)
    assert talk.sandbox.jobs["A"]["priority"] == 1
    await _send(talk, job("A"))
    assert talk.sandbox.stats()["late_overlaps"] == 1


async def test_two_requests_with_one_key_at_the_same_time_are_an_overlap(open_sandbox: Open) -> None:
    talk = await open_sandbox(latency_s=0.1)

    await asyncio.gather(_send(talk, job("A"), job("B")), _send(talk, job("B"), job("C")), _send(talk, job("D")))
    await _send(talk, job("A"), job("B"))

    stats = talk.sandbox.stats()
    assert (stats["overlaps"], stats["max_in_flight"], stats["in_flight"]) == (1, 3, 0)


async def test_fewer_leaves_jobs_out_of_the_reply_that_were_created(open_sandbox: Open) -> None:
    talk = await open_sandbox(faults="fewer:1")

    created = await talk.create(*[job(f"k{i}") for i in range(30)])

    assert [entry["uidSecondary"] for entry in created] == [f"k{i}" for i in range(30) if i in _indexes(created)]
    assert len(created) == 27
    assert talk.sandbox.stats()["creates"] == 30


def _indexes(created: list[dict[str, Any]]) -> set[int]:
    return {int(entry["uidSecondary"][1:]) for entry in created}


async def test_shuffle_answers_all_jobs_in_another_order(open_sandbox: Open) -> None:
    talk = await open_sandbox(faults="shuffle:1")

    created = await talk.create(*[job(f"k{i}") for i in range(30)])

    assert _indexes(created) == set(range(30))
    assert [entry["uidSecondary"] for entry in created] != [f"k{i}" for i in range(30)]


async def test_a_script_says_which_fault_each_of_the_next_requests_gets(open_sandbox: Open) -> None:
    talk = await open_sandbox()
    talk.sandbox.set_faults(next=["503", "none", "429"])

    assert [(await talk.post(CREATE, {"data": {"jobs": []}})).status for _ in range(4)] == [503, 200, 429, 200]


async def test_faults_can_be_laid_on_other_paths(open_sandbox: Open) -> None:
    talk = await open_sandbox(faults="503:1", faults_on=("/api/getjobs", "/v1/jobs"))

    assert (await talk.post("/api/getjobs", {"data": {}})).status == 503
    assert (await talk.get("/v1/jobs")).status == 503
    assert (await talk.post(CREATE, {"data": {"jobs": []}})).status == 200


async def test_under_all_faults_together_every_key_is_created_once_by_a_client_that_insists(open_sandbox: Open) -> None:
    talk = await open_sandbox(faults="all:0.6", slow_s=0.02, seed=5)
    rounds = 0
    for i in range(60):
        for _ in range(40):
            rounds += 1
            try:
                status, body = await _send(talk, job(f"k{i}"))
                if status == 200 and orjson.loads(body)["jobs"]:
                    break
            except (aiohttp.ClientError, orjson.JSONDecodeError, KeyError):
                continue
    stats = talk.sandbox.stats()
    assert all(talk.sandbox.created(f"k{i}") == 1 for i in range(60))
    assert stats["creates"] == 60
    assert stats["overlaps"] == 0
    assert len(stats["faults"]) == len(FAULTS)
    assert stats["requests"][CREATE] == rounds
    assert sum(stats["http_statuses"].values()) == rounds
