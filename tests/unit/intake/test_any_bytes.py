"""Whatever bytes a file holds, reading it ends in jobs and named errors, or in one clear refusal."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import orjson
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.intake import InputError, read_jobs

JOB = {"uidSecondary": "k", "destinationLat": 46.0, "destinationLng": 13.0, "customFields": [{"key": "a", "val": "b"}]}
SEEDS = (
    json.dumps({"data": {"jobs": [JOB, {}], "autoassign": "true"}}).encode(),
    json.dumps([JOB, 5], indent=1).encode(),
    orjson.dumps(JOB) + b"\n" + orjson.dumps(JOB) + b"\n{}\n",
    b'uidSecondary;destinationText;day\na;"x";5\nb;y;\n',
)
PIECES = st.sampled_from(
    [
        b"",
        b"\n",
        b'"',
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b";",
        b"NaN",
        b"1e999",
        b"null",
        b"\xff",
        b"\\ud800",
        b"\x00",
        b"[" * 2000,
    ]
)


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    """A good file with a few pieces cut out and others put in."""
    text = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(PIECES) + text[at + draw(st.integers(0, 12)) :]
    return text


@given(text=texts(), name=st.sampled_from(["f", "f.json", "f.jsonl", "f.csv"]))
def test_reading_ends_in_jobs_and_errors_or_in_one_refusal(text: bytes, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / name
        file.write_bytes(text)
        good: list[int] = []
        bad: set[int] = set()
        refusals = []
        try:
            for chunk in read_jobs(file, chunk_jobs=2):
                good += chunk.indexes
                bad |= {error.index for error in chunk.errors}
                assert all(orjson.loads(job.body)["uidSecondary"] == job.key != "" for job in chunk.jobs)
                assert all(error.where.startswith(str(file)) and error.message.isprintable() for error in chunk.errors)
        except InputError as refusal:
            refusals.append(str(refusal))
        assert all(words.startswith(str(file)) and words.isprintable() for words in refusals)
        assert sorted([*good, *bad]) == list(range(len(good) + len(bad)))
