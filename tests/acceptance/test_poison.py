"""A job that kills its worker harms nobody else."""

from collections.abc import Callable

from conftest import Store
from support.database import job_statuses, sql
from support.fleet import Workers
from support.polling import until

from worker.store import ledger
from worker.store.tables import Campaign


def test_a_job_that_kills_its_worker_dies_alone_and_the_others_are_applied_in_order(
    store: Store, new_campaign: Callable[..., Campaign]
) -> None:
    campaign = new_campaign()
    for number in range(50):
        email = "poison@x.test" if number == 24 else f"lead{number}@x.test"
        ledger.accept(campaign.public_id, [{"email": email, "n": number}, {"email": "shared@x.test", "n": number}])

    with Workers(store.data_dir, app="support.apps.poisoned"):
        until(lambda: "accepted" not in job_statuses(campaign.number), within=180, what="the lane's being empty")

    assert job_statuses(campaign.number) == {"applied": 49, "dead": 1}
    dead = sql(
        "SELECT row_number, attempts, last_error FROM ("
        " SELECT *, row_number() OVER (ORDER BY id) FROM job) AS numbered WHERE status = 'dead'"
    )
    assert [(row[0], row[1]) for row in dead] == [(25, 5)]
    assert "its worker was killed each time" in dead[0][2]
    applied = [row[0] for row in sql("SELECT id FROM job WHERE status = 'applied' ORDER BY finished_at, id")]
    assert applied == sorted(applied)
    assert sql("SELECT custom_variables FROM lead WHERE email = 'shared@x.test'") == [({"n": 49},)]
