"""Files of leads, read record by record: what each gives, by its line, and what none survives."""

import csv
import gzip
import io
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.workbooks import sheet_xml, workbook, workbook_of_xml

from domain.errors import PayloadTooLarge
from worker.files import records as lines
from worker.files import xlsx_file
from worker.files.inflating import Inflated, InflatesTooMuch
from worker.files.leads_file import Kind, open_leads, read_leads
from worker.files.records import LineError, Row, UnusableFile
from worker.files.rejected import COLUMNS, as_csv


class Trickle(io.RawIOBase):
    """A connection: gives a few bytes at a time."""

    def __init__(self, content: bytes, at_once: int) -> None:
        self._content = io.BytesIO(content)
        self._at_once = at_once

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        given = self._content.read(min(len(buffer), self._at_once))
        buffer[: len(given)] = given
        return len(given)


def records(content: bytes | str, kind: Kind = "csv", at_once: int = 1_000) -> list[Row | LineError]:
    source = io.BufferedReader(Trickle(content.encode() if isinstance(content, str) else content, at_once))
    with read_leads(source, kind, {}) as leads:
        return list(leads.records)


def leads(content: bytes | str, kind: Kind = "csv") -> list[tuple[int, object]]:
    return [(record.line, record.lead if isinstance(record, Row) else record.code) for record in records(content, kind)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_tables_of_every_delimiter_and_line_end_are_read(delimiter: str, end: str, mark: str) -> None:
    lines = [["email", "note"], ["a@x.test", f'"one{end}two{delimiter}"'], [], ["b@x.test", ""], ["c@x.test"]]
    content = mark + end.join(delimiter.join(cells) for cells in lines)

    assert leads(content) == [
        (2, {"email": "a@x.test", "note": f"one{end}two{delimiter}"}),
        (5, {"email": "b@x.test"}),
        (6, {"email": "c@x.test"}),
    ]


def test_it_makes_no_difference_how_many_bytes_come_at_a_time() -> None:
    content = 'email;Zoë\nä@x.test;"1\n2"\nb@x.test;3;4\n'

    assert records(content, at_once=1) == records(content, at_once=1_000)


def test_the_note_with_which_linkedin_begins_is_passed_over_and_lines_still_count_from_the_top() -> None:
    content = (
        'Notes:\n"When exporting your connection data, you may notice\nthat some addresses, are missing."\n\n'
        "First Name,Last Name,URL,Email Address,Company,Position,Connected On\n"
        "Ana,Díaz,https://x.test/ana,ana@x.test,Voltmetrics,CEO,25 Nov 2026\n"
    )

    ((line, lead),) = leads(content)

    assert line == 6
    assert lead == {
        "firstName": "Ana", "Last Name": "Díaz", "URL": "https://x.test/ana", "email": "ana@x.test",
        "company": "Voltmetrics", "jobTitle": "CEO", "Connected On": "25 Nov 2026",
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["csv", "ndjson"])
def test_a_file_has_at_most_so_many_lines(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_LINES", 1_000)

    with pytest.raises(PayloadTooLarge, match="more than 1,000 lines"):
        records("email\n" * (kind == "csv") + "\n" * 1_001, kind)


def test_a_row_that_is_no_utf_8_is_an_error_of_its_own() -> None:
    assert leads(b"email,name\na@x.test,Ana\nb@x.test,Zo\xeb\nc@x.test,Eva\n") == [
        (2, {"email": "a@x.test", "name": "Ana"}),
        (3, "invalid_encoding"),
        (4, {"email": "c@x.test", "name": "Eva"}),
    ]


def test_a_row_may_end_in_blank_cells_but_not_in_others() -> None:
    assert [code for _, code in leads("email,n\na@x.test,1,, \nb@x.test,1,,2\n")] == [
        {"email": "a@x.test", "n": "1"},
        "too_many_cells",
    ]


@pytest.mark.parametrize(
    ("content", "kind", "reason"),
    [
        ("", "csv", "is empty"),
        ("email,Zoë\n".encode("cp1252"), "csv", "is not UTF-8"),
        ("email,name\n".encode("utf-16"), "csv", "is not UTF-8"),
        ("email," + "x" * 200_000, "csv", "the first line, which names the columns, is longer than"),
        ("email," + "," * 2_000_000, "csv", "the first line, which names the columns, cannot be read"),
        (workbook([["email"]]), "csv", "is a workbook or a ZIP archive"),
        (workbook([["email"]]), "ndjson", "is a workbook or a ZIP archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "xlsx", "of an old Excel"),
        (gzip.compress(b"email\n"), "csv", "Content-Encoding: gzip"),
        ('[{"email": "a@x.test"}]', "ndjson", "one JSON array"),
        ("email\na@x.test\n", "xlsx", "no XLSX workbook"),
        ("", "xlsx", "no XLSX workbook"),
        (workbook([["email"]])[:-400], "xlsx", "no XLSX workbook"),
        (workbook([[]]), "xlsx", "its first sheet is empty"),
        (workbook([["name"], ["Ana"]]), "xlsx", "there is no email column"),
    ],
    ids=[
        "empty",
        "cp1252",
        "utf-16",
        "long header",
        "many columns",
        "xlsx as csv",
        "xlsx as ndjson",
        "xls",
        "gzip",
        "json",
        "csv as xlsx",
        "empty as xlsx",
        "half a workbook",
        "empty sheet",
        "sheet without email",
    ],
)
def test_what_is_no_file_of_leads_is_refused_by_name(content: bytes | str, kind: Kind, reason: str) -> None:
    with pytest.raises(UnusableFile) as refused:
        records(content, kind)

    assert reason in str(refused.value)


def test_a_quote_that_is_never_closed_takes_neither_all_rows_with_it_nor_all_memory() -> None:
    rows = 'x@x.test,"\n' + '","\n' * 300_000

    first, *_, last = records(f"email,note\n{rows}a@x.test,1\n", at_once=100_000)

    assert isinstance(first, LineError)
    assert (first.line, first.code) == (2, "invalid_csv")
    assert "the record has 1,048,576 characters or more" in first.message
    assert last.line > 260_000


def test_cells_of_a_workbook_become_the_text_that_they_would_be_in_a_csv() -> None:
    content = workbook(
        [
            [],
            ["Email", "n", "half", "yes", "gone", "note"],
            ["a@x.test", 42, 1.5, True, None, "two\nlines"],
            [],
            ["  ", None],
            ["b@x.test", 4915112345678],
            ["c@x.test", 1, 1, False, "x", "x", "beyond"],
        ]
    )

    assert leads(content, "xlsx") == [
        (3, {"email": "a@x.test", "n": "42", "half": "1.5", "yes": "TRUE", "note": "two\nlines"}),
        (6, {"email": "b@x.test", "n": "4915112345678"}),
        (7, "too_many_cells"),
    ]


def test_the_first_sheet_that_people_see_is_read() -> None:
    content = workbook([["email"], ["hidden@x.test"]], [["email"], ["a@x.test"]], [["email"], ["b@x.test"]], hidden=1)

    assert leads(content, "xlsx") == [(2, {"email": "a@x.test"})]


def test_a_workbook_has_at_most_so_many_rows() -> None:
    rows: Iterator[list[str]] = ([f"{n}@x.test"] for n in range(100_001))

    with pytest.raises(PayloadTooLarge, match="more than 100,000 rows of XLSX"):
        records(workbook([["email"], *rows]), "xlsx", at_once=1_000_000)


def test_a_workbook_that_no_reader_survives_is_refused() -> None:
    cells = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    sparse = workbook_of_xml(sheet_xml([]).replace("<sheetData>", f"<sheetData>{cells}"))
    bomb = workbook_of_xml(sheet_xml([]) + " " * 540_000_000)

    for content in (sparse, bomb):
        with pytest.raises(PayloadTooLarge, match="more cells than a gigabyte of memory"):
            records(content, "xlsx", at_once=1_000_000)


def test_a_workbook_is_spooled_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx_file, "MAX_BYTES", 500)

    with pytest.raises(PayloadTooLarge, match="bytes of XLSX"):
        records(workbook([["email"]]), "xlsx")


def test_the_content_of_a_file_tells_what_it_is(tmp_path: Path) -> None:
    for name, content in {
        "a.csv": workbook([["email"], ["a@x.test"]]),
        "b.xlsx": workbook([["email"], ["a@x.test"]]),
        "c.txt": b'{"email": "a@x.test"}',
        "d.csv": b"email\na@x.test\n",
    }.items():
        (tmp_path / name).write_bytes(content)
        with open_leads(tmp_path / name, {}) as (opened, _):
            assert [record.lead for record in opened.records if isinstance(record, Row)] == [{"email": "a@x.test"}]


def inflated(content: bytes, at_once: int = 65_536, buffer: int = 8_192) -> bytes:
    return io.BufferedReader(Inflated(Trickle(content, at_once)), buffer).read()


@pytest.mark.parametrize("seed", range(20))
def test_gzip_is_inflated_however_it_is_cut_up(seed: int) -> None:
    chance = random.Random(seed)
    members = [chance.choice([b"", b"abc" * 20_000, chance.randbytes(4_000)]) for _ in range(chance.randint(1, 4))]
    packed = b"".join(map(gzip.compress, members)) + b"\0" * chance.choice([0, 7, 70_000])

    assert inflated(packed, chance.choice([1, 7, 1_000, 100_000]), chance.choice([16, 65_536])) == b"".join(members)


@pytest.mark.parametrize(
    "content",
    [b"", b"email\n", gzip.compress(b"x" * 99)[:-3], gzip.compress(b"x") + b"junk"],
    ids=["empty", "plain", "cut", "followed by junk"],
)
def test_what_is_no_whole_gzip_stream_is_refused(content: bytes) -> None:
    with pytest.raises(UnusableFile, match="gzip"):
        inflated(content)


def test_a_bomb_is_refused_before_it_is_large() -> None:
    bomb = io.BufferedReader(Inflated(Trickle(gzip.compress(b"0" * 50_000_000), 65_536)), 65_536)
    parts: list[int] = []

    with pytest.raises(InflatesTooMuch):
        parts.extend(map(len, iter(lambda: bomb.read(65_536), b"")))

    assert sum(parts) < 1_000_000


def test_much_of_the_same_is_no_bomb() -> None:
    rows = b"".join(b"%d@x.test,%b\n" % (n, b"We saw that you are hiring. " * 10) for n in range(20_000))

    assert inflated(gzip.compress(rows)) == rows


def test_rejected_rows_are_safe_to_open_in_a_spreadsheet() -> None:
    texts = ["=1+1", "+1", "-1", "@x", "\tx", "\rx", " =1", "a;=1", "a,=1", "a\t@x", 'a"\n=1', "\uff1d1", "a=1", "a-b"]
    written = as_csv([LineError(n, text, None, "invalid_email", text) for n, text in enumerate(texts)])

    rows = list(csv.reader(io.StringIO(written, newline="")))

    assert len(COLUMNS) == 5
    assert [row[1] for row in rows] == [
        "'=1+1", "'+1", "'-1", "'@x", "'\tx", "'\rx", "' =1", "a;'=1", "a,'=1", "a\t'@x", "a\"\n'=1", "'\uff1d1",
        "a=1", "a-b",
    ]  # fmt: skip


def test_an_ndjson_line_is_a_lead_as_it_is() -> None:
    assert leads(json.dumps({"email": "a@x.test", "n": 1, "gone": None}), "ndjson") == [
        (1, {"email": "a@x.test", "n": 1, "gone": None})
    ]
