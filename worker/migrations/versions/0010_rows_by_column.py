"""A job's rows column by column: those of jobs that were accepted before are rewritten.

A program of an earlier version cannot read them: stop those first. A request that comes again with the key that it had
before is refused as another one, for its fingerprint is that of its rows. Nothing was released with the earlier format.
"""

from alembic import op

revision = "0010"
down_revision = "0009"

# From a line for each row (position, email, given, three standard fields, variables) to a line for each column.
_TURN_ROWS = r"""
UPDATE job SET rows = (
    SELECT convert_to(string_agg(line, E'\n' ORDER BY place), 'UTF8')
    FROM (
        SELECT place, string_agg(field[place], E'\t' ORDER BY number) || E'\t' AS line
        FROM string_to_table(convert_from(job.rows, 'UTF8'), E'\n') WITH ORDINALITY AS row (text, number),
            string_to_array(text, E'\t') AS field, generate_series(2, 7) AS place
        WHERE text <> ''
        GROUP BY place
    ) AS columns
)
WHERE rows <> ''
"""


def upgrade() -> None:
    """Rewrite the rows of the jobs that still have them."""
    op.execute(_TURN_ROWS)
