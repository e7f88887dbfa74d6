"""Notifier URLs that hold secrets: taken from a file, refused elsewhere, and never shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from wattwell.config import Config, parse
from wattwell.config.notifiers import shown
from wattwell.errors import ConfigError, Fault

METER = {"id": "load", "role": "it_ups", "quantity": "power", "accumulation": "instantaneous"}
SITES = [{"id": "s", "timezone": "UTC", "pue_category": 1, "meters": [METER]}]
SECRETS = (
    "mailto://ops:hush-hush@mail.example.org/?to=plant@example.org",
    "slack://T1JJ3T3L2/A1BRTD4JD/hushhushjdnlazkcOXrIdevi/#general",
    "json://me:hush-hush@hooks.example.org/x",
    "alertmanagers://me:hush-hush@am.example.org:443/prefix",
)


def config_of(folder: Path, *notify: dict[str, Any]) -> Config:
    return parse({"sites": SITES, "notify": list(notify)}, folder)


def faults_of(folder: Path, *notify: dict[str, Any]) -> tuple[Fault, ...]:
    with pytest.raises(ConfigError) as caught:
        config_of(folder, *notify)
    assert "hush" not in str(caught.value)
    return caught.value.faults


@pytest.mark.parametrize("url", SECRETS)
def test_a_url_with_a_secret_has_its_place_in_a_file(tmp_path: Path, url: str) -> None:
    (tmp_path / "url").write_text(f"{url}\r\n", encoding="utf-8")
    config = config_of(tmp_path, {"url_file": "url"})
    assert [each.url for each in config.notify] == [url]
    assert "hush" not in repr(config)
    assert "hush" not in shown(url)
    (fault,) = faults_of(tmp_path, {"url": url})
    assert (fault.path, fault.value) == ("notify[0].url", shown(url))
    assert "url_file" in fault.remedy


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        (b"json://h/hush\njson://h/2\n", "holds 2 words"),
        (b" \n", "holds 0 words"),
        (b"json://h/\xff", "not UTF-8"),
        (b"hush-hush", "no URL"),
        (b"mailto://hush-hush", "Apprise cannot use this URL"),
    ],
)
def test_a_file_that_holds_no_url(tmp_path: Path, text: bytes, remedy: str) -> None:
    (tmp_path / "url").write_bytes(text)
    (fault,) = faults_of(tmp_path, {"url_file": "url"})
    assert fault.path == "notify[0].url_file"
    assert remedy in fault.remedy


@pytest.mark.parametrize(
    ("url", "remedy"),
    [("mqtt://broker/topic", "Apprise takes no token"), ("alertmanager://me@h", "names a user")],
)
def test_a_token_that_is_of_no_use(tmp_path: Path, url: str, remedy: str) -> None:
    (tmp_path / "token").write_text("hush")
    (fault,) = faults_of(tmp_path, {"url": url, "token_file": "token"})
    assert (fault.path, fault.value) == ("notify[0].token_file", "token")
    assert remedy in fault.remedy


def test_what_is_shown_of_a_url() -> None:
    assert shown("jsons://me:hush@h:8443/hush?hush#hush") == "jsons://h:8443"
    assert shown("tgram://hush/hush") == "tgram://..."
    assert shown("http://me:hush@h/x") == "http://h"
