"""What `top` makes of two looks at a daemon, and how it says so."""

from __future__ import annotations

import io
from collections import deque
from dataclasses import replace

import pytest
from rich.console import Console

from dispatcher.cli.reading import Fleet, document, readings
from dispatcher.cli.scrape import Scrape, base_of
from dispatcher.cli.screen import line, span, sparks, view
from dispatcher.errors import ConfigError

Sample = tuple[str, float]


def look(monotonic: float, started: float = 1000.0, /, **values: float) -> Scrape:
    """A look at the account "one"; names without their prefix, a label behind two underscores."""
    samples: dict[str, list[tuple[dict[str, str], float]]] = {
        "process_start_time_seconds": [({}, started)],
        "dispatcher_build_info": [({"version": "9.9"}, 1.0)],
        "dispatcher_ready": [({"account": "one"}, 1.0)],
    }
    labels = {
        "jobs": "state",
        "job_moves_total": "state",
        "requests_total": "outcome",
        "waited_seconds_total": "reason",
    }
    for name, value in values.items():
        metric, _, label = name.partition("__")
        found = {"account": "one"} | ({labels[metric]: label} if label else {})
        samples.setdefault(f"dispatcher_{metric}", []).append((found, value))
    return Scrape(at=1_700_000_000 + monotonic, monotonic=monotonic, ready=True, reasons={"one": ""}, samples=samples)


def test_rates_are_the_growth_over_the_time_between_two_looks() -> None:
    before = look(10, accepted_jobs_total=100, job_moves_total__confirmed=50, requests_total__throttled=1)
    now = look(12, accepted_jobs_total=300, job_moves_total__confirmed=60, requests_total__throttled=2)
    (one,) = readings(now, before)
    assert (one.accepted_per_s, one.confirmed_per_s, one.throttled, one.throttled_per_s) == (100.0, 5.0, 2, 0.5)


def test_at_the_first_look_there_are_counts_and_no_rates() -> None:
    (one,) = readings(look(10, accepted_jobs_total=100, jobs__held=7), None)
    assert (one.accepted_per_s, one.confirmed_per_s, one.jobs["held"], one.jobs["dead"]) == (None, None, 7, 0)


def test_a_counter_that_appears_between_two_looks_began_at_nothing() -> None:
    (one,) = readings(look(11, accepted_jobs_total=4), look(10))
    assert one.accepted_per_s == 4.0


def test_a_restarted_daemon_has_no_rates_until_the_next_look() -> None:
    """Its counters began anew: the difference would be nonsense, and so would a huge negative rate."""
    (one,) = readings(look(11, 2000.0, accepted_jobs_total=5), look(10, 1000.0, accepted_jobs_total=500))
    assert one.accepted_per_s is None


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"denied": 1.0, "breaker_open": 1.0}, "access: the server denies it"),
        ({"breaker_open": 1.0, "blocked_seconds": 3.0}, "the server to come back"),
        ({"blocked_seconds": 3.2}, "back-pressure to end, 4 s more"),
        ({"waited_seconds_total__limit": 5.9, "waited_seconds_total__concurrency": 5.1}, "the rate limit"),
        ({"waited_seconds_total__limit": 5.0, "waited_seconds_total__concurrency": 5.1}, "a free request"),
        ({"waited_seconds_total__limit": 5.001, "waited_seconds_total__concurrency": 5.0}, ""),
    ],
)
def test_what_work_waits_for_is_the_strongest_cause(values: dict[str, float], words: str) -> None:
    before = look(10, waited_seconds_total__limit=5.0, waited_seconds_total__concurrency=5.0)
    assert readings(look(11, **values), before)[0].waiting_for == words


def test_a_fleet_is_told_with_its_age_and_whether_it_is_of_use() -> None:
    (one,) = readings(look(1, fleet_members=50.0, fleet_age_seconds=1000.0, fleet_usable=0.0), None)
    assert one.fleet == Fleet(members=50, age_s=1000.0, usable=False)
    assert "50 members, read 16 min 40 s ago: too old, the fallback decides" in line(one, 0.0)
    assert readings(look(1), None)[0].fleet is None


def test_the_document_has_every_account_and_plain_values() -> None:
    now = look(1, jobs__accepted=3.0, concurrency_limit=4.0, create_requests_total=2.0, sent_jobs_total=300.0)
    found = document("http://x", now, readings(now, None))
    assert (found["up"], found["version"], found["ready"]) == (True, "9.9", True)
    (one,) = found["accounts"]
    assert (one["account"], one["jobs"]["accepted"], one["limit"], one["batch_jobs"]) == ("one", 3, 4, 150.0)


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:8080", "ftp://x", "http://", "http://x:99999", "http://a b", "http://x/?q"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="--url"):
        base_of(url)


def test_an_address_may_have_a_path_and_loses_its_last_slash() -> None:
    assert base_of(" https://proxy.example/dispatcher/ ") == "https://proxy.example/dispatcher"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "–"), (0.04, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.6, "1 min 0 s"), (3599, "59 min 59 s"),
     (7500, "2 h 5 min"), (260000, "3 days")],
)  # fmt: skip
def test_lengths_of_time_are_said_as_people_do(seconds: float | None, words: str) -> None:
    assert span(seconds) == words


def test_the_curve_goes_from_nothing_to_the_highest() -> None:
    assert sparks([0, 1, 2, 4]) == "▁▃▅█"
    assert sparks([]) == sparks([0, 0]) == ""


def drawn(away: str, width: int, **changes: object) -> str:
    now = look(1, jobs__accepted=12345.0)
    (one,) = readings(now, None)
    out = io.StringIO()
    console = Console(file=out, width=width)
    shown = replace(one, **changes)  # type: ignore[arg-type]
    console.print(view("http://x", now, [shown], curves={"one": deque([1.0, 2.0])}, away=away, at=now.at + 75))
    return out.getvalue()


def test_a_daemon_that_is_away_is_shown_as_such_with_what_was_known_last() -> None:
    text = drawn("no answer from http://x/metrics: connection refused", 100)
    assert "away for 1 min 15 s: no answer" in text
    assert "was ready" in text
    assert "12,345" in text
    assert "away" not in drawn("", 100)


def test_an_account_that_is_not_ready_says_why_and_markup_in_it_is_text() -> None:
    """What the daemon says is shown, not obeyed."""
    text = drawn("", 100, ready=False, reason="[bold]denied[/] [link=http://evil]x[/link]")
    assert "not ready: [bold]denied[/] [link=http://evil]x[/link]" in text


def test_a_narrow_terminal_gets_the_same_words() -> None:
    assert all(len(row.rstrip()) <= 60 for row in drawn("", 60).splitlines())
