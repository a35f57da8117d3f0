"""Files of jobs: formats told by content, bad jobs named by place, good ones kept."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import orjson
import pytest

from dispatcher.errors import FieldError
from dispatcher.intake import Chunk, InputError, read_jobs
from dispatcher.model.job import read_job
from dispatcher.model.records import AUTOASSIGN, IS_TEMPLATE, SEND_ROUTE_CHANGE

ROOT = Path(__file__).parents[3]


def job(key: str | None = "k", **others: Any) -> dict[str, Any]:
    named = {"uidSecondary": key} if key else {}
    return named | {"destinationLat": 46.0, "destinationLng": 13.0} | others


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def lines(jobs: Iterable[Any]) -> str:
    return "".join(f"{json.dumps(item)}\n" for item in jobs)


class Read:
    """A whole file's chunks put together."""

    def __init__(self, path: str | Path, **options: Any) -> None:
        self.chunks = list(read_jobs(path, **options))
        self.jobs = [item for chunk in self.chunks for item in chunk.jobs]
        self.keys = [item.key for item in self.jobs]
        self.indexes = [index for chunk in self.chunks for index in chunk.indexes]
        self.errors: list[FieldError] = [error for chunk in self.chunks for error in chunk.errors]
        self.warnings = [warning for chunk in self.chunks for warning in chunk.warnings]


def refusal(path: str | Path) -> str:
    with pytest.raises(InputError) as caught:
        list(read_jobs(path))
    return str(caught.value)


FORMS: dict[str, Callable[[Any], str]] = {
    "body": lambda jobs: json.dumps({"data": {"jobs": jobs}}),
    "pretty body": lambda jobs: "\n\n" + json.dumps({"ver": 2, "data": {"jobs": jobs}}, indent=2),
    "bare object": lambda jobs: json.dumps({"jobs": jobs}) + "\n\n",
    "list": json.dumps,
    "pretty list": lambda jobs: json.dumps(jobs, indent=1),
    "lines": lines,
    "lines with blank ones": lambda jobs: "\n \n" + lines(jobs).replace("\n", "\r\n\r\n"),
    "lines without a last end": lambda jobs: lines(jobs).rstrip("\n"),
}


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"], ids=["", "BOM"])
@pytest.mark.parametrize("name", ["jobs.json", "jobs.jsonl", "jobs"])
@pytest.mark.parametrize("form", FORMS)
def test_the_format_is_told_by_the_content(form: str, name: str, bom: bytes, tmp_path: Path) -> None:
    """The extension is only a hint: a wrong one does no harm."""
    jobs = [job(f"k{n}", destinationName=f"Zürich {n}") for n in range(3)]
    read = Read(write(tmp_path / name, bom + FORMS[form](jobs).encode()))
    assert read.jobs == [read_job(item) for item in jobs]
    assert read.indexes == [0, 1, 2]
    assert (read.errors, read.warnings) == ([], [])


@pytest.mark.parametrize("form", ["body", "list", "lines", "pretty body"])
def test_a_bad_job_is_named_and_the_others_are_kept(form: str, tmp_path: Path) -> None:
    jobs: list[Any] = [job("a"), job("b", priority=11, day=20261301), 7, job("c")]
    read = Read(write(tmp_path / "f.json", FORMS[form](jobs)))
    assert read.keys == ["a", "c"]
    assert read.indexes == [0, 3]
    assert [(e.index, e.field, e.key) for e in read.errors] == [(1, "priority", "b"), (1, "day", "b"), (2, "", None)]
    place = {1: ":2", 2: ":3"} if form == "lines" else {1: "[1]", 2: "[2]"}
    assert [e.where for e in read.errors] == [f"{tmp_path}/f.json{place[e.index]}" for e in read.errors]


def test_a_line_that_is_no_json_does_not_stop_the_next(tmp_path: Path) -> None:
    content = lines([job("a")]).encode() + b'{"uidSecondary": "b"\n\xff\xfe\n[1]\n' + lines([job("c")]).encode()
    read = Read(write(tmp_path / "f.jsonl", content))
    assert read.keys == ["a", "c"]
    assert [e.message.split(" at")[0] for e in read.errors] == ["not JSON", "not UTF-8", "must be a JSON object"]
    assert [e.where.rpartition(":")[2] for e in read.errors] == ["2", "3", "4"]
    assert read.indexes == [0, 4]


@pytest.mark.parametrize("form", ["body", "pretty body", "list", "pretty list", "lines"])
def test_nan_names_its_field_and_the_other_jobs_are_kept(form: str, tmp_path: Path) -> None:
    """Strict readers refuse such a text as a whole; one bad job must not take the others with it."""
    jobs = [job("a"), job("b", destinationLng=float("nan")), job("c", destinationName="\ud800"), job("d")]
    read = Read(write(tmp_path / "f", FORMS[form](jobs)))
    assert read.keys == ["a", "d"]
    assert [(e.index, e.field) for e in read.errors] == [(1, "destinationLng"), (2, "destinationName")]


def test_a_first_line_that_is_bad_does_not_hide_that_the_file_is_lines(tmp_path: Path) -> None:
    content = '{"uidSecondary": "a", "destinationLat": NaN, "destinationLng": 1}\n' + lines([job("b"), job("c")])
    read = Read(write(tmp_path / "f.txt", content))
    assert read.keys == ["b", "c"]
    assert [(e.index, e.field) for e in read.errors] == [(0, "destinationLat")]
    cut = Read(write(tmp_path / "f.jsonl", '{"uidSecondary": "a"\n' + lines([job("b")])))
    assert cut.keys == ["b"]


@pytest.mark.parametrize("name", ["f.jsonl", "f.json"])
def test_one_job_alone_is_a_file_of_one(name: str, tmp_path: Path) -> None:
    assert Read(write(tmp_path / name, lines([job()]))).keys == ["k"]
    assert Read(write(tmp_path / "pretty.json", json.dumps(job(), indent=1))).keys == ["k"]


def test_a_whole_body_on_each_line_is_refused_line_by_line(tmp_path: Path) -> None:
    read = Read(write(tmp_path / "f.jsonl", lines([{"data": {"jobs": [job()]}}] * 2)))
    assert [e.message for e in read.errors] == ["this is a whole request with its jobs, where one job is expected"] * 2


@pytest.mark.parametrize(
    ("switches", "expected"),
    [
        ({}, SEND_ROUTE_CHANGE),
        ({"autoassign": True}, AUTOASSIGN | SEND_ROUTE_CHANGE),
        ({"autoassign": "true", "sendRouteChange": "false"}, AUTOASSIGN),
        ({"isTemplate": True, "sendRouteChange": False, "autoassign": None}, IS_TEMPLATE),
    ],
)
def test_the_switches_of_a_body_go_to_its_jobs(switches: dict[str, Any], expected: int, tmp_path: Path) -> None:
    """What the file says counts more than the default; what it leaves out does not."""
    file = write(tmp_path / "f", json.dumps({"data": {"jobs": [job()]} | switches}))
    assert Read(file, switches=SEND_ROUTE_CHANGE).jobs[0].switches == expected


def test_what_stands_beside_the_jobs_is_warned_of(tmp_path: Path) -> None:
    body = {"data": {"jobs": [job()], "autoasign": True}, "auth": {"key": "x"}, "extra": 1}
    assert Read(write(tmp_path / "f", json.dumps(body))).warnings == [
        f"{tmp_path}/f: ignored beside the jobs: data.autoasign, extra"
    ]


def test_a_getjobs_reply_is_recognised(tmp_path: Path) -> None:
    reply = {"status": 0, "jobs": [job(id="64d88ed519c0ae41096aa4b4")]}
    read = Read(write(tmp_path / "f", json.dumps(reply)))
    assert [e.field for e in read.errors] == ["id"]
    assert "looks like a getjobs reply" in read.warnings[0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty: expected jobs"),
        (" \n\n ", "is empty: expected jobs"),
        (b"\xef\xbb\xbf", "is empty"),
        ('{"data": [1]}', "data must be an object with jobs, is a list"),
        ('{"data": {}}', "found an object without data.jobs"),
        ('{"data": {"jobs": {}}}', "data.jobs must be a list of jobs, is an object"),
        ('{"jobs": null}', "jobs must be a list of jobs, is null"),
        ('{\n"foo": 1}', "found an object without jobs"),
        ('{"data": {"jobs": [], "autoassign": 1}}', "autoassign must be true or false, is a number"),
        ('{"data": {"jobs": [], "isTemplate": "yes"}}', "isTemplate must be true or false, is a text"),
        ('{"data": {"jobs": [\n{"a": 1},,\n]}}', "f:2: not JSON at column 10"),
        ("[\n\n1 2]", "f:3: not JSON at column 3"),
        ("[1]\n[2]\n", "f:2: not JSON at column 1: Extra data"),
        (b'[\n"\xff"]]', "f:2: not UTF-8 at byte 4"),
        ("[" * 100_000, "nested too deep"),
        ("[1" + "0" * 5000 + ",NaN]", "too many digits"),
        (b"\x1f\x8b\x08xx", "is compressed with gzip"),
        (b"PK\x03\x04xx", "spreadsheet"),
        ("[]".encode("utf-16"), "is UTF-16"),
        ("hello\nworld\n", "is neither JSON nor CSV"),
        ('"text"', "is neither JSON nor CSV"),
        ("<html>\x1b[0m", "is neither JSON nor CSV"),
    ],
)
def test_a_file_that_holds_no_jobs_is_refused_with_what_was_expected(
    content: str | bytes, words: str, tmp_path: Path
) -> None:
    message = refusal(write(tmp_path / "f", content))
    assert message.startswith(f"{tmp_path}/f")
    assert words in message
    assert message.isprintable()


def test_with_json_in_its_name_other_text_is_bad_json(tmp_path: Path) -> None:
    assert "f.json:1: not JSON at column 1" in refusal(write(tmp_path / "f.json", "hello"))
    assert "found a text" in refusal(write(tmp_path / "f.json", '"hello"'))


def test_a_list_without_jobs_is_no_error(tmp_path: Path) -> None:
    for content in ("[]", '{"data": {"jobs": []}}', "uidSecondary,destinationLat\n"):
        read = Read(write(tmp_path / "f", content))
        assert (read.jobs, read.errors, read.warnings) == ([], [], [])


def test_a_path_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "missing") == f"{tmp_path}/missing cannot be read: No such file or directory"
    assert refusal(tmp_path) == f"{tmp_path} cannot be read: Is a directory"


@pytest.mark.parametrize("form", ["lines", "pretty body", "csv"])
def test_standard_input_is_read_as_a_file_is(form: str) -> None:
    jobs = [job("a"), job("b")]
    content = FORMS[form](jobs) if form in FORMS else "uidSecondary,destinationText\na,x\nb,y\n"
    code = (
        "from dispatcher.intake import read_jobs\n"
        "print([job.key for chunk in read_jobs('-') for job in chunk.jobs])\n"
        "import sys; print(sys.stdin.closed)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=content, text=True, capture_output=True, check=True, cwd=ROOT
    )
    assert done.stdout == "['a', 'b']\nFalse\n"


def test_a_pipe_is_read_as_a_file_is(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with subprocess.Popen(["sh", "-c", f"echo '[{json.dumps(job())}]' > {fifo}"]):
        assert Read(fifo).keys == ["k"]


def test_unknown_fields_are_passed_on_and_warned_of_once(tmp_path: Path) -> None:
    jobs = [job(f"k{n}", destinationlat=1, colour="red", custom_a="x") for n in range(30)] + [job("z", **{"a\x1b": 1})]
    read = Read(write(tmp_path / "f", lines(jobs)), chunk_jobs=10)
    assert orjson.loads(read.jobs[0].body) == jobs[0]
    words = f"{tmp_path}/f: fields that the API does not document are passed on: "
    assert read.warnings == [f"{words}colour, destinationlat (did you mean destinationLat?)", f"{words}a\\x1b"]


def test_a_key_that_stands_twice_is_warned_of_with_both_places(tmp_path: Path) -> None:
    content = lines([job("a"), job("b"), job("a", priority=1)]) + "\n" + lines([job("c"), job("b"), job("b")])
    read = Read(write(tmp_path / "f", content), chunk_jobs=4)
    assert read.keys == ["a", "b", "a", "c", "b", "b"]
    name = f"{tmp_path}/f"
    words = "too; taken as versions, this one the newer"
    assert read.warnings == [
        f"{name}:3: the key a stands at {name}:1 {words}",
        f"{name}:6: the key b stands at {name}:2 {words}",
        f"{name}:7: the key b stands at {name}:2 {words}",
    ]


def test_of_many_repeated_keys_ten_are_told_and_the_rest_counted(tmp_path: Path) -> None:
    read = Read(write(tmp_path / "f", json.dumps([job(f"k{n % 100}") for n in range(300)])), chunk_jobs=7)
    assert len(read.warnings) == 11
    assert read.warnings[0].startswith(f"{tmp_path}/f[100]: the key k0 stands at {tmp_path}/f[0] too")
    assert read.warnings[-1] == f"{tmp_path}/f: 190 more keys stand there again"


@pytest.mark.parametrize("chunk_jobs", [1, 3, 1000])
def test_jobs_without_a_key_get_one_from_content_and_ordinal(chunk_jobs: int, tmp_path: Path) -> None:
    """The same in every run, whatever stands between them; equal jobs are told apart by their order."""
    one, two = job(None, destinationName="one"), job(None, destinationName="two")
    file = write(tmp_path / "f", lines([one, two, job("k"), one, {"priority": 11}, one]))
    read = Read(file, chunk_jobs=chunk_jobs)
    again = Read(write(tmp_path / "g", lines([two, one, dict(reversed(one.items())), one])), switches=AUTOASSIGN)
    first, other, named, second, third = read.keys
    assert named == "k"
    assert [key.rpartition("-")[2] for key in (first, second, third)] == ["1", "2", "3"]
    assert len({key.rpartition("-")[0] for key in (first, second, third)}) == 1
    assert again.keys == [other, first, second, third]
    assert [orjson.loads(item.body)["uidSecondary"] for item in read.jobs] == read.keys
    assert read.warnings == []


def test_dicts_are_the_jobs_as_the_file_has_them(tmp_path: Path) -> None:
    jobs = [job(None), job("k"), job(None, priority=11), job("c-1", custom_a=1)]
    (chunk,) = read_jobs(write(tmp_path / "f", json.dumps(jobs)))
    assert chunk.dicts() == [jobs[0], jobs[1], jobs[3]]
    assert chunk.unnamed == {0}


def test_lenient_coordinates_and_the_resolver_reach_every_job(tmp_path: Path) -> None:
    file = write(tmp_path / "f", lines([job("a", destinationLat=400), job("b", worker="ann", receiverUid="a1")]))
    assert [e.field for e in Read(file).errors] == ["destinationLat", "receiverUid"]
    assert Read(file, lenient_coordinates=True, resolve={"a1": "ann"}.get).keys == ["a", "b"]


def test_chunks_are_no_larger_than_asked_and_in_order(tmp_path: Path) -> None:
    jobs = [job(f"k{n}") if n % 3 else {"id": 1} for n in range(25)]
    chunks: list[Chunk] = list(read_jobs(write(tmp_path / "f", lines(jobs)), chunk_jobs=10))
    assert [len(chunk.jobs) + len({e.index for e in chunk.errors}) for chunk in chunks] == [10, 10, 5]
    assert [index for chunk in chunks for index in chunk.indexes] == [n for n in range(25) if n % 3]


def test_reading_can_be_left_in_the_middle(tmp_path: Path) -> None:
    chunks = read_jobs(write(tmp_path / "f", lines([job(f"k{n}") for n in range(100)])), chunk_jobs=10)
    assert len(next(chunks).jobs) == 10
    chunks.close()  # type: ignore[attr-defined]  # a generator


def test_a_long_file_is_read_in_flat_memory(tmp_path: Path) -> None:
    """Ten times the jobs must not need more than the keys' twelve bytes each: all in all below 300 MB for a million."""
    code = (
        "import resource, sys; from dispatcher.intake import read_jobs\n"
        "print(sum(len(chunk.jobs) for chunk in read_jobs(sys.argv[1])))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
    )
    peaks = []
    for count in (10_000, 100_000):
        with (tmp_path / "f").open("wb") as file:
            file.writelines(orjson.dumps(job(f"key {n}", textDispatcher="x" * 300)) + b"\n" for n in range(count))
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "f")], text=True, capture_output=True, check=True, cwd=ROOT
        )
        read, peak = map(int, done.stdout.split())
        assert read == count
        peaks.append(peak)
    assert peaks[1] - peaks[0] < 10


def test_a_file_that_is_cut_short_while_it_is_read_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Broken(io.BytesIO):
        def __next__(self) -> bytes:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(
        "dispatcher.intake.source.open_file", lambda _: Broken(lines([job("a"), job("b"), job("c")]).encode())
    )
    assert refusal(tmp_path / "f") == f"{tmp_path}/f cannot be read: Input/output error"
