"""From notifier URLs to requests, and what names and shows a notifier without its secrets."""

from __future__ import annotations

import pytest

from alerts.alertmanager import Alertmanager
from alerts.notify import Keeper, notifier_id
from alerts.opening import open_notifier
from alerts.webhook import Webhook, batch_key, webhook_document


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("json://127.0.0.1:9000", "http://127.0.0.1:9000/"),
        ("jsons://hooks.example.org/a/b?c=d", "https://hooks.example.org/a/b?c=d"),
        ("webhook+http://h/x", "http://h/x"),
        ("webhook+https://[::1]:8443/x", "https://[::1]:8443/x"),
        ("JSON://User:Pass@Host/x", "http://Host/x"),
        ("alertmanager://127.0.0.1", "http://127.0.0.1:9093/api/v2/alerts"),
        ("alertmanager://[::1]/", "http://[::1]:9093/api/v2/alerts"),
        ("alertmanager://u:p@h:8080", "http://h:8080/api/v2/alerts"),
        ("alertmanagers://monitoring.example.org:443/am/", "https://monitoring.example.org:443/am/api/v2/alerts"),
    ],
)
def test_where_a_url_posts_to(url: str, target: str) -> None:
    notifier = open_notifier(url)
    assert isinstance(notifier, Webhook | Alertmanager)
    assert notifier.address.target == target
    assert isinstance(notifier, Keeper) == url.startswith("alertmanager")


@pytest.mark.parametrize("url", ["json://me:secret@h/secret", "alertmanager://me:secret@h", "ntfys://:secret@h/topic"])
def test_neither_id_nor_notifier_shows_a_secret(url: str) -> None:
    assert notifier_id(url) == notifier_id(url) != notifier_id(url + "2")
    assert notifier_id(url).startswith(url.partition("://")[0] + "-")
    assert "secret" not in notifier_id(url)
    assert "secret" not in repr(open_notifier(url))


def test_an_empty_batch_is_a_document_too() -> None:
    assert webhook_document([])["alerts"] == []
    assert batch_key([]) == batch_key(())
