"""Plans that hold whatever the statistics say: each row is looked up in an index.

Statistics are wrong just when it matters. What is read out of bytes has none. Tables are analysed up to a minute late,
so the planner takes them for what they were; and a table that was analysed while it held nothing but the rows of a
transaction under way (the first import) it takes for one row, however much it has grown since. 2,000 leads into 10,000
then took 3 s and their release 6 s; among a million neither ended within the 60 s that a statement may take.

So the hot statements are planned with `only_by_index`, and written in two ways that look odd:

- `id = ANY (ARRAY[x.id])` for `id = x.id`, `id = ANY (ARRAY(SELECT …))` for a join: can only be a lookup for each x.
  With `=` the planner may read all of `lead`, and all x for each of its rows. It costs 3 µs a lead.
- `campaign_id BETWEEN x AND x … ORDER BY campaign_id, id` for `campaign_id = x … ORDER BY id`: with `=` the planner may
  as well walk the primary key, past all that was ever done: 130 ms to find no unsettled send among 680,000 settled.

A test reads the plans.
"""

from sqlalchemy import text
from sqlmodel import Session

# Without bitmaps, because a bitmap collects every lead that is due before the first 2,000 are taken: 240 ms a chunk
# instead of 35 when 600,000 are due. Without compiling, because before PostgreSQL 18 a plan that cannot do without what
# is switched off here (`incoming` has no index) costs 10^10 more, and would be compiled each time.
_ONLY_INDEX_LOOKUPS = text(
    "SELECT set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true),"
    " set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true),"
    " set_config('jit', 'off', true)"
)


def only_by_index(session: Session) -> None:
    """Have the statements of this transaction, from here on, look rows up in indexes."""
    if not session.info.get("only_by_index"):
        session.connection().execute(_ONLY_INDEX_LOOKUPS)
        session.info["only_by_index"] = True
