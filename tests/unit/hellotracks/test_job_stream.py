"""Jobs taken off a reply while it arrives."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.hellotracks.job_stream import LONGEST_JOB, ForeignArray, JobStream

_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.text(max_size=5)
    | st.sampled_from(["}", "{", '"', "\\", "},{", "]"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
_jobs = st.lists(st.dictionaries(st.text(max_size=3) | st.just("}"), _json, max_size=4), max_size=6)


def run(chunks: Iterable[bytes]) -> tuple[list[Any], bytes]:
    """All jobs taken from the chunks, and the frame."""
    stream: JobStream[Any] = JobStream(msgspec.json.Decoder(dict[str, Any]).decode)
    jobs = [job for chunk in chunks for job, _ in stream.feed(chunk)]
    return jobs, stream.frame()


@given(jobs=_jobs, size=st.integers(1, 40), first=st.booleans(), indent=st.booleans(), data=st.data())
def test_every_job_comes_once_in_order_however_the_reply_is_cut(
    jobs: list[dict[str, Any]], size: int, first: bool, indent: bool, data: st.DataObject
) -> None:
    reply = {"status": 0, "ver": "2", "jobs": jobs} if first else {"jobs": jobs, "status": 0}
    text = orjson.dumps(reply, option=orjson.OPT_INDENT_2 if indent else None)
    text = data.draw(st.sampled_from([b"", b"  ", b"\n\t"])) + text
    taken, frame = run(text[start : start + size] for start in range(0, len(text), size))
    assert taken == jobs
    assert orjson.loads(frame) == {**reply, "jobs": []}


@given(jobs=_jobs, size=st.integers(1, 40))
def test_a_reply_cut_short_leaves_a_frame_that_is_not_json(jobs: list[dict[str, Any]], size: int) -> None:
    text = orjson.dumps({"jobs": jobs, "status": 0})[:-1]
    _, frame = run(text[start : start + size] for start in range(0, len(text), size))
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(frame)


@pytest.mark.parametrize(
    "reply",
    [
        b'{"page":{"n":1},"jobs":[{"id":"1"}],"status":0}',
        b'{"status":0,"jobs":null}',
        b'{"status":0,"jobs":{"a":{}}}',
        b"<html>jobs</html>",
        b"",
        b'"jobs":[{}]',
        b'{"x":"' + b"y" * 200_000 + b'","jobs":[{}]}',
    ],
)
def test_a_reply_framed_in_another_way_is_kept_whole(reply: bytes) -> None:
    assert run(reply[start : start + 1000] for start in range(0, len(reply), 1000)) == ([], reply)


@pytest.mark.parametrize(
    "array", [b"[null]", b"[1,2]", b'["a"]', b"[[{}]]", b"[{},7]", b'[{"a":tru}]', b"[{,}]", b"[}]"]
)
def test_an_array_of_anything_else_is_foreign(array: bytes) -> None:
    with pytest.raises(ForeignArray):
        run([b'{"jobs":' + array + b',"status":0}'])


def test_a_job_without_end_is_foreign() -> None:
    chunks = [b'{"jobs":[{"a":"', *[b"x" * 65536] * (LONGEST_JOB // 65536 + 2)]
    with pytest.raises(ForeignArray, match="without end"):
        run(chunks)


def test_a_job_nested_without_measure_is_foreign() -> None:
    with pytest.raises(ForeignArray):
        run([b'{"jobs":[' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"]}"])


def test_memory_does_not_grow_with_the_number_of_jobs() -> None:
    """20 000 full jobs, 40 MB, pass through less than 1 MB."""
    job = orjson.dumps({"id": "x" * 24, "customFields": [{"key": "k", "val": "v"}], "text": "y" * 1900})
    chunk = b",".join([job] * 40)
    stream = JobStream(msgspec.json.Decoder(dict[str, Any]).decode)
    stream.feed(b'{"status":0,"jobs":[')
    tracemalloc.start()
    try:
        taken = 0
        for _ in range(500):
            taken += len(stream.feed(chunk[:50_000]))
            taken += len(stream.feed(chunk[50_000:] + b","))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken == 20_000
    assert peak < 1_000_000
