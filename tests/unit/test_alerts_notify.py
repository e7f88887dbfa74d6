"""Which notifier URLs can be used, and what is said of those that cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from alerts.notify import batch_key, notifier_id, open_notifier, supported, webhook_document
from wattwell.errors import ConfigError


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("json://127.0.0.1:9000", "http://127.0.0.1:9000/"),
        ("jsons://hooks.example.org/a/b?c=d", "https://hooks.example.org/a/b?c=d"),
        ("webhook+http://h/x", "http://h/x"),
        ("webhook+https://[::1]:8443/x", "https://[::1]:8443/x"),
        ("JSON://User:Pass@Host/x", "http://Host/x"),
    ],
)
def test_a_webhook_url(url: str, target: str) -> None:
    assert supported(url) is None
    assert getattr(open_notifier(url), "target", None) == target


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        (
            "mailto://me:secret@example.org",
            "scheme 'mailto' is not known; write one of json://, jsons://, webhook+http://",
        ),
        ("slack://secret/secret", "scheme 'slack' is not known"),
        ("http://h/x", "scheme 'http' is not known"),
        ("127.0.0.1:9000", "the scheme is missing"),
        ("", "the scheme is missing"),
        ("json://", "the host is missing; write json://HOST:PORT/PATH"),
        ("json:///secret", "the host is missing"),
        ("json://h:99999/", "is no URL"),
        ("json://[::1/secret", "is no URL"),
        ("json://h/#secret", "has no part after '#'"),
    ],
)
def test_a_url_that_cannot_be_used(url: str, remedy: str) -> None:
    assert remedy in (supported(url) or "")
    with pytest.raises(ConfigError) as caught:
        open_notifier(url)
    assert remedy in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_user_and_a_token_exclude_each_other() -> None:
    with pytest.raises(ConfigError, match="keep one of them") as caught:
        open_notifier("json://me:secret@h/", token_file=Path("token"))
    assert "secret" not in str(caught.value)


def test_the_id_of_a_notifier_is_stable_and_holds_no_secret() -> None:
    url = "json://me:secret@h/path"
    assert notifier_id(url) == notifier_id(url) != notifier_id(url + "2")
    assert notifier_id(url).startswith("json-")
    assert "secret" not in notifier_id(url)


def test_an_empty_batch_is_a_document_too() -> None:
    assert webhook_document([])["alerts"] == []
    assert batch_key([]) == batch_key(())
