"""How fail-over times are told: quantiles, how many in each second, and the table of the document."""

from __future__ import annotations

from benchmarks.failover import VARIANTS, Kill, row, rows_of, table


def test_times_are_told_by_quantiles_and_by_the_second() -> None:
    told = row("name", [5.0, 1.2, 1.9, 7.5])
    assert (told["kills"], told["min_s"], told["median_s"], told["p95_s"], told["max_s"]) == (4, 1.2, 3.45, 7.5, 7.5)
    assert told["histogram"]["1-2 s"] == 2
    assert sum(told["histogram"].values()) == 4


def test_the_95th_of_a_hundred_is_the_95th() -> None:
    assert row("name", [float(number) for number in range(1, 101)])["p95_s"] == 95.0


def test_each_variant_has_its_rows_and_both_have_all() -> None:
    kills = [Kill(VARIANTS[number % 2], 1.0 + number, 2.0 + number) for number in range(4)]
    rows = rows_of(kills)
    assert [one["kills"] for one in rows] == [2, 2, 2, 2, 4, 4]
    assert rows[-1]["max_s"] == 5.0
    text = table(rows)
    assert text.count("\n") == 8
    assert "| both: nobody waits | 4 | 2 | 3.5 | 5 | 5 | 2-3 s: 1, 3-4 s: 1, 4-5 s: 1, 5-6 s: 1 |" in text
