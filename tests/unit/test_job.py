"""Jobs: which are applied together, and which of those can be merged at once."""

from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from domain.job import BATCH_BYTES, BATCH_ROWS, Waiting, is_exhausted, next_batch, segments

waiting_jobs = st.lists(
    st.builds(
        Waiting,
        st.just(0),
        st.integers(0, BATCH_ROWS * 2),
        st.integers(0, BATCH_BYTES * 2),
        st.integers(0, 2),
        st.booleans(),
    ),
    min_size=1,
    max_size=8,
)


def is_small(jobs: list[Waiting]) -> bool:
    return sum(job.rows for job in jobs) <= BATCH_ROWS and sum(job.bytes for job in jobs) <= BATCH_BYTES


@example([Waiting(1, BATCH_ROWS, BATCH_BYTES, 0, suspect=False), Waiting(2, 0, 0, 0, suspect=False)])
@given(waiting_jobs)
def test_a_batch_is_the_oldest_jobs_as_many_as_fit_and_one_tried_before_is_taken_alone(jobs: list[Waiting]) -> None:
    batch = list(next_batch(jobs))

    assert batch, "a lane with work always goes on"
    assert batch == jobs[: len(batch)]
    assert len(batch) == 1 or is_small(batch)
    assert len(batch) == 1 or not any(job.suspect for job in batch)
    if len(batch) < len(jobs):
        refused = jobs[len(batch)]
        assert not is_small([*batch, refused]) or refused.suspect or batch[0].suspect


def test_there_is_no_batch_of_nothing() -> None:
    assert not next_batch([])


def test_a_job_is_exhausted_after_its_last_attempt() -> None:
    assert [is_exhausted(Waiting(1, 1, 1, attempts, suspect=True), 5) for attempts in (0, 4, 5, 6)] == [
        False,
        False,
        True,
        True,
    ]


@given(st.lists(st.sets(st.integers(0, 5), max_size=3), min_size=1, max_size=10))
def test_no_segment_holds_an_email_twice_and_all_jobs_are_covered_in_order(emails: list[set[int]]) -> None:
    jobs = len(emails)
    meetings = {
        job: [before for before in range(1, job) if emails[before - 1] & emails[job - 1]] for job in range(2, jobs + 1)
    }
    cut = segments(jobs, {job: max(before) for job, before in meetings.items() if before})

    assert [job for segment in cut for job in segment] == list(range(1, jobs + 1))
    for segment in cut:
        assert not any(set(segment) & set(meetings.get(job, [])) for job in segment)
    for left, right in pairwise(cut):
        assert set(meetings[right[0]]) & set(left), "no cut without need"


def test_jobs_that_share_nothing_are_one_segment() -> None:
    assert segments(3, {}) == [range(1, 4)]
    assert segments(1, {}) == [range(1, 2)]
