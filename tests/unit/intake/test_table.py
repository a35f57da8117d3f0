"""CSV files of jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from dispatcher.intake import Chunk, InputError, read_jobs


def read(path: Path, content: str | bytes) -> Chunk:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    (chunk,) = read_jobs(path)
    return chunk


def bodies(chunk: Chunk) -> list[dict[str, Any]]:
    return [orjson.loads(job.body) for job in chunk.jobs]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("bom", ["", "\ufeff"], ids=["", "BOM"])
def test_columns_are_read_by_the_type_of_their_field(delimiter: str, bom: str, tmp_path: Path) -> None:
    rows = [
        ["uidSecondary", "destinationName", "destinationLat", "destinationLng", "windowStart", "custom_floor", "day"],
        ["007", '"Rossi, Anna; 2\nnd\tfloor"', "46.5", "13", "0730", "3", ""],
        ["8", "", " 46.5 ", "-13e0", "", "", "20261130"],
    ]
    chunk = read(tmp_path / "f.csv", bom + "\r\n".join(delimiter.join(row) for row in rows))
    assert (chunk.errors, chunk.warnings) == ([], [])
    assert bodies(chunk) == [
        {
            "uidSecondary": "007",
            "destinationName": "Rossi, Anna; 2\nnd\tfloor",
            "destinationLat": 46.5,
            "destinationLng": 13.0,
            "windowStart": 730,
            "custom_floor": "3",
        },
        {"uidSecondary": "8", "destinationLat": 46.5, "destinationLng": -13.0, "day": 20261130},
    ]


def test_a_delimiter_inside_a_quoted_name_does_not_count(tmp_path: Path) -> None:
    chunk = read(tmp_path / "f", '"custom_a,b,c,d";uidSecondary;destinationText\n1;2;3\n')
    assert bodies(chunk) == [{"custom_a,b,c,d": "1", "uidSecondary": "2", "destinationText": "3"}]


def test_cells_that_do_not_fit_their_field_are_named_by_line(tmp_path: Path) -> None:
    content = (
        "uidSecondary,destinationText,day,destinationLat,destinationLng,teamId\n"
        'a,"two\nlines",,,,\n'
        "b,x,2026-11-30,,,\n"
        '\nc,x,,"46,1",13,\n'
        "d,x,,nan,13,\n"
        "e,x,,,,1.0\n"
    )
    chunk = read(tmp_path / "f.csv", content)
    assert [job.key for job in chunk.jobs] == ["a"]
    assert [(e.index, e.field, e.where.rpartition(":")[2]) for e in chunk.errors] == [
        (1, "day", "4"),
        (2, "destinationLat", "6"),
        (3, "destinationLat", "7"),
        (4, "teamId", "8"),
    ]
    assert "write 20261130 as a number" in chunk.errors[0].message
    assert "with a decimal point" in chunk.errors[1].message


def test_rows_of_another_width_are_refused_and_blank_ones_skipped(tmp_path: Path) -> None:
    chunk = read(tmp_path / "f", "uidSecondary,destinationText\na,x\n\n , \n,\nb\nc,y,z\nd,w\n")
    assert [job.key for job in chunk.jobs] == ["a", "d"]
    assert chunk.indexes == [0, 3]
    assert [(e.index, e.message) for e in chunk.errors] == [
        (1, "has 1 cells where the header has 2"),
        (2, "has 3 cells where the header has 2"),
    ]


def test_bytes_that_are_not_utf8_spoil_only_their_row(tmp_path: Path) -> None:
    chunk = read(tmp_path / "f", b"uidSecondary,destinationText\na,Z\xfcrich\nb,Bern\n")
    assert [job.key for job in chunk.jobs] == ["b"]
    assert [(e.field, e.where[-2:]) for e in chunk.errors] == [("destinationText", ":2")]
    assert "not UTF-8" in chunk.errors[0].message


def test_custom_fields_may_stand_in_a_cell_as_json(tmp_path: Path) -> None:
    chunk = read(
        tmp_path / "f",
        'uidSecondary;destinationText;customFields\na;x;"[{""key"": ""skills"", ""val"": ""gas""}]"\nb;x;gas\n',
    )
    assert bodies(chunk)[0]["customFields"] == [{"key": "skills", "val": "gas"}]
    assert [e.field for e in chunk.errors] == ["customFields"]


def test_unknown_columns_are_passed_on_as_text_and_warned_of(tmp_path: Path) -> None:
    chunk = read(tmp_path / "f", "uidSecondary,destinationText,colour\na,x,5\n")
    assert bodies(chunk)[0]["colour"] == "5"
    assert chunk.warnings == [f"{tmp_path}/f: fields that the API does not document are passed on: colour"]


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("uidSecondary,destinationText,uidSecondary", "column uidSecondary stands twice"),
        ("uidSecondary,,destinationText", "column 2 of the header has no name"),
        ("name,lat,lng", "it begins with 'name, lat, lng'"),
        ("UIDSECONDARY", "is neither JSON nor CSV"),
    ],
)
def test_a_header_that_cannot_be_used_is_named(header: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        read(tmp_path / "f.csv", f"{header}\na,b,c\n")


def test_broken_quoting_ends_the_reading_behind_the_good_rows(tmp_path: Path) -> None:
    """Behind an open quote nothing can be told apart any more; what came before is handed out first."""
    file = tmp_path / "f"
    file.write_text('uidSecondary,destinationText\na,x\nb,"open\nc,y\n')
    chunks = read_jobs(file)
    assert [job.key for job in next(chunks).jobs] == ["a"]
    with pytest.raises(InputError, match=r"f:4: not CSV: unexpected end of data"):
        next(chunks)
