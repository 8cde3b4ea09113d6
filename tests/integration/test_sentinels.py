"""The URL of a Redis behind Sentinels: as README tells it, as Celery wants it, and what is wrong with others."""

import pytest
from conftest import forget_connections
from kombu import Connection

from worker import nudges
from worker.sentinels import Sentinels
from worker.settings import UnusableSetting, load_settings

URL = "sentinel://me:p%40s%3Bs@a.test,b.test:26380,[::1]:5/3?master=enroll&sentinel_password=p%26q"


def test_a_url_names_the_sentinels_the_master_and_both_passwords() -> None:
    hosts = (("a.test", 26_379), ("b.test", 26_380), ("::1", 5))
    assert Sentinels.of(URL) == Sentinels(hosts, "enroll", "me", "p@s;s", 3, "p&q")
    assert Sentinels.of("sentinel://a.test?master=m") == Sentinels((("a.test", 26_379),), "m", None, None, 0, None)


def test_celery_is_told_each_of_them() -> None:
    with Connection(Sentinels.of(URL).for_kombu()) as broker:
        assert broker.alt == [
            "sentinel://me:p%40s%3Bs@a.test:26379/3",
            "sentinel://me:p%40s%3Bs@b.test:26380/3",
            "sentinel://me:p%40s%3Bs@[::1]:5/3",
        ]
        assert (broker.userid, broker.password, broker.virtual_host) == ("me", "p@s;s", "3")


@pytest.mark.parametrize(
    ("url", "wrong"),
    [
        ("sentinel://a.test/0", "needs ?master=NAME"),
        ("sentinel://a.test?master=m&ssl=true", "has no parameter ssl"),
        ("sentinel://a.test,,b.test?master=m", "HOST:PORT, with commas"),
        ("sentinel://a.test:b.test?master=m", "Port could not be cast"),
        ("sentinel://a.test/m", "needs ?master=NAME"),
        ("sentinel://a.test/first?master=m", "the number of a database"),
    ],
)
def test_what_is_wrong_is_said(monkeypatch: pytest.MonkeyPatch, url: str, wrong: str) -> None:
    monkeypatch.setenv("ENROLL_REDIS_URL", url)
    with pytest.raises(UnusableSetting) as refused:
        load_settings()
    assert str(refused.value).startswith("ENROLL_REDIS_URL cannot be used: ")
    assert wrong in str(refused.value)


def test_that_no_sentinel_answers_is_said_in_a_short_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ENROLL_REDIS_URL", "sentinel://:s3cret@127.0.0.1:1?master=enroll")
    forget_connections()
    nudges.take_up(nudges.APPLY, "camp_x")
    forget_connections()
    [line] = caplog.messages
    assert line == f"cannot clear the nudge {nudges.APPLY} of camp_x, it will expire: No master found for 'enroll'"
