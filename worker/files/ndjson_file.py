"""Leads in an NDJSON file: one JSON object a line, with the verdicts of every other door."""

import re
from typing import BinaryIO

from domain.bulk_upsert import Limits, leads_of_list
from domain.errors import Refusal
from worker.files.records import MAX_LINE, LineError, Records, Row, bounded_lines, line_error

_LIMITS = Limits(max_leads=1)
# The reader of requests speaks about a whole request, and of columns in it.
_about_a_request = re.compile(r"^The request cannot be used: | at line \d+ column \d+")


def read_ndjson(file: BinaryIO) -> Records:
    """Read line by line; a line that is not JSON is an error of that line alone."""
    for number, line in enumerate(bounded_lines(file), start=1):
        text = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
        if text.strip():
            yield _record(number, text)


def _record(number: int, line: bytes) -> Row | LineError:
    if len(line) == MAX_LINE:
        return line_error(number, None, "lead_too_large", f"the line has {MAX_LINE:,} bytes or more")
    try:
        # Each line in brackets of its own: joined, `{"a": [1` and `2]}` on two lines would make a lead.
        (lead,) = leads_of_list(b"[%b]" % line, _LIMITS)
    except Refusal as refusal:
        why = _about_a_request.sub("", str(refusal))
        return line_error(number, None, "invalid_type", f"lead must be one JSON object on one line: {why}")
    return Row(number, lead, len(line))
