"""XLSX workbooks, made by hand: good ones, and such as no program would write."""

import io
import zipfile
from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"


def workbook(*sheets: Iterable[Sequence[object]], hidden: int = 0) -> bytes:
    """A workbook of these sheets, of which the first few are hidden. None is no cell."""
    return workbook_of_xml(*[sheet_xml(rows) for rows in sheets], hidden=hidden)


def workbook_of_xml(*sheets: str, hidden: int = 0) -> bytes:
    packed = io.BytesIO()
    numbers = range(1, len(sheets) + 1)
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", _content_types(numbers))
        archive.writestr("_rels/.rels", _relations([("officeDocument", "xl/workbook.xml")]))
        archive.writestr("xl/workbook.xml", _workbook(numbers, hidden))
        archive.writestr("xl/_rels/workbook.xml.rels", _relations([("worksheet", _path(n)) for n in numbers]))
        for number, xml in zip(numbers, sheets, strict=True):
            archive.writestr(f"xl/{_path(number)}", xml)
    return packed.getvalue()


def sheet_xml(rows: Iterable[Sequence[object]]) -> str:
    written = "".join(
        f'<row r="{number}">{"".join(map(_cell, row))}</row>' for number, row in enumerate(rows, start=1) if row
    )
    return f'{_HEAD}<worksheet xmlns="{_MAIN}"><sheetData>{written}</sheetData></worksheet>'


def _cell(value: object) -> str:
    match value:
        case None:
            return "<c/>"
        case bool():
            return f'<c t="b"><v>{int(value)}</v></c>'
        case int() | float():
            return f"<c><v>{value}</v></c>"
        case _:
            return f'<c t="inlineStr"><is><t xml:space="preserve">{escape(str(value))}</t></is></c>'


def _path(number: int) -> str:
    return f"worksheets/sheet{number}.xml"


def _content_types(numbers: Iterable[int]) -> str:
    parts = [("xl/workbook.xml", "sheet.main"), *((f"xl/{_path(number)}", "worksheet") for number in numbers)]
    overrides = "".join(f'<Override PartName="/{part}" ContentType="{_TYPE}.{kind}+xml"/>' for part, kind in parts)
    return (
        f'{_HEAD}<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{overrides}</Types>'
    )


def _relations(targets: Iterable[tuple[str, str]]) -> str:
    written = "".join(
        f'<Relationship Id="rId{number}" Type="{_OFFICE}/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(targets, start=1)
    )
    return f'{_HEAD}<Relationships xmlns="{_PACKAGE}">{written}</Relationships>'


def _workbook(numbers: Iterable[int], hidden: int) -> str:
    states = {number: "hidden" if number <= hidden else "visible" for number in numbers}
    sheets = "".join(
        f'<sheet name="S{number}" sheetId="{number}" state="{state}" r:id="rId{number}"/>'
        for number, state in states.items()
    )
    return f'{_HEAD}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{sheets}</sheets></workbook>'
