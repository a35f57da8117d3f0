"""The store's two ways to make a job object, and its columns, against a plain dictionary."""

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.model.job_object import JOB_DEFAULTS
from dispatcher.sandbox.people import People
from dispatcher.sandbox.store import JobStore
from tests.unit.sandbox.talk import member

VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
)
FIELDS = st.dictionaries(
    st.sampled_from(["priority", "teamId", "destinationName", "customFields", "label", "custom_a", "windowEnd", "new"]),
    VALUES,
    max_size=5,
)
JOBS = st.fixed_dictionaries(
    {},
    optional={
        "uidSecondary": st.sampled_from(["a", "b", 'quo"te', "ü", ""]),
        "worker": st.sampled_from(["", "ann@acme.example", "stranger", None]),
        "receiverUid": st.sampled_from(["", "ann", "nobody's"]),
        "day": st.sampled_from([0, 20261130, 20261201]),
    },
).flatmap(lambda known: FIELDS.map(lambda fields: {**known, **fields}))


def _store() -> JobStore:
    return JobStore(People([member("ann", 48.2, 16.3)]), started_ms=1_000)


@given(jobs=st.lists(JOBS, max_size=12), template=st.booleans())
@settings(max_examples=100, deadline=None)
def test_the_spliced_reply_is_the_object_that_is_read_later(jobs: list[dict[str, object]], template: bool) -> None:
    """The reply of createjobs joins prepared text, every other reply builds a dict: both must be the same object."""
    store = _store()
    for sent in jobs:
        (text,) = store.upsert([dict(sent)], now_ms=5_000, template=template)
        replied = orjson.loads(text)
        row = store.row_by_id(replied["id"])
        assert row is not None
        assert replied == orjson.loads(orjson.dumps(store.full(row)))
        assert set(replied) >= set(JOB_DEFAULTS) | {"id", "tsCreated", "tsSaved", "tsAssigned", "worker", "receiverUid"}
        for name, value in sent.items():
            if value is not None and name not in {"worker", "receiverUid", "uidSecondary"}:
                assert replied[name] == value


@given(jobs=st.lists(JOBS, max_size=30))
@settings(max_examples=100, deadline=None)
def test_counters_and_days_agree_with_a_plain_dictionary(jobs: list[dict[str, object]]) -> None:
    store = _store()
    plain: dict[str, dict[str, object]] = {}
    keyless = 0
    sends: dict[str, int] = {}
    for sent in jobs:
        store.upsert([dict(sent)], now_ms=5_000)
        key = sent.get("uidSecondary") or ""
        if not key:
            keyless += 1
            continue
        assert isinstance(key, str)
        sends[key] = sends.get(key, 0) + 1
        plain.setdefault(key, {}).update({name: value for name, value in sent.items() if value is not None})

    assert store.created == len(plain) + keyless
    assert store.updated + store.repeated == sum(sends.values()) - len(plain)
    assert list(store.known_keys()) == list(plain)
    for key, fields in plain.items():
        counters = store.counters(key)
        assert (counters["creates"], counters["sends"]) == (1, sends[key])
        row = store.row_by_key(key)
        assert row in set(store.rows(day=int(str(fields.get("day", 0)))))
    assert sorted(row for day in (0, 20261130, 20261201) for row in store.rows(day=day)) == list(store.rows())


def test_a_job_takes_little_more_memory_than_what_was_sent() -> None:
    """At most 500 bytes a job with some 290 bytes sent, so that a million jobs stay far below a gigabyte."""
    import tracemalloc  # noqa: PLC0415

    from dispatcher.sandbox import generated_jobs  # noqa: PLC0415

    store = _store()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for sent in generated_jobs(5_000, seed=1, day=20261130):
            store.upsert([sent], now_ms=5_000)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (after - before) / 5_000 < 500
