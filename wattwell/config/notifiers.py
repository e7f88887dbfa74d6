"""Who is told of alerts: webhooks, Alertmanagers, and every service that Apprise knows.

A URL that holds a secret is refused where it stands in the configuration; its place is a file of its own
(``url_file``). Apprise is loaded only where a URL asks for it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from wattwell.config.connect import masked
from wattwell.config.files import named_file, unreadable
from wattwell.config.places import Faults, Place
from wattwell.config.reading import read
from wattwell.config.schema import RawNotifier
from wattwell.config.settings import Notifier

if TYPE_CHECKING:
    from apprise import NotifyBase

WEBHOOKS = {"json": "http", "jsons": "https", "webhook+http": "http", "webhook+https": "https"}
"""Webhook scheme -> that of the request."""
ALERTMANAGERS = {"alertmanager": "http", "alertmanagers": "https"}
"""Alertmanager scheme -> that of the request."""
_OWN = WEBHOOKS | ALERTMANAGERS
_SAYS = (
    "write alertmanager://HOST:9093, json://HOST/PATH, jsons://HOST/PATH, webhook+http://HOST/PATH, "
    "webhook+https://HOST/PATH or a URL of Apprise, such as mailto:// or slack://"
)
_FILE = "put the whole URL into a file and name the file: `url_file:`"


def read_notifiers(listed: Sequence[Any] | None, base: Path, faults: Faults) -> tuple[Notifier, ...]:
    """Who is told of alerts; every fault is noted, and none of them shows what may be secret."""
    found: dict[str, Notifier] = {}
    for index, item in enumerate(listed or ()):
        place = Place() / "notify" / index
        raw = read(RawNotifier, item, place, faults)
        if raw is None:
            continue
        token = named_file(base, raw.token_file, place / "token_file", faults)
        url, where = _url(raw, base, place, faults)
        if url is None or not _check(url, where, faults, file=raw.url_file):
            continue
        if raw.token_file is not None:
            _check_token(url, place / "token_file", raw.token_file, faults)
        if url in found:
            faults.add(where, "this URL stands twice in `notify`; keep one of them", shown(url))
        found.setdefault(url, Notifier(url=url, token_file=token))
    return tuple(found.values())


def _url(raw: RawNotifier, base: Path, place: Place, faults: Faults) -> tuple[str | None, Place]:
    """The URL, as written or from its file, and where it stands."""
    if raw.lacks("url") and raw.lacks("url_file"):
        faults.add(
            place / "url", "this key is required and absent; write `url:`, or `url_file:` where it holds a password"
        )
    if raw.url is not None and raw.url_file is not None:
        faults.add(place / "url_file", "there is a `url:` too; keep one of them", raw.url_file)
    elif raw.url_file is not None:
        where = place / "url_file"
        path = named_file(base, raw.url_file, where, faults)
        return (None if path is None else _url_in(path, raw.url_file, where, faults)), where
    return raw.url, place / "url"


def _url_in(path: Path, name: str, place: Place, faults: Faults) -> str | None:
    try:
        lines = path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        faults.add(place, f"{unreadable(error)}; write one URL into it", name)
        return None
    if len(lines) != 1:
        faults.add(place, f"the file holds {len(lines)} words; write one URL alone into it", name)
        return None
    return lines[0]


def _check(url: str, place: Place, faults: Faults, *, file: str | None) -> bool:
    """Whether a URL can be used; ``file`` is where it came from, and it may hold a password then."""
    scheme, written = scheme_of(url), file or shown(url)
    if "://" not in url:
        faults.add(place, f"no URL; {_SAYS}", written)
    elif scheme in ("http", "https"):
        faults.add(place, f"say what is sent: write webhook+{shown(url)}", written)
    elif scheme not in _OWN:
        return _check_apprise(url, place, faults, file=file)
    elif (parts := _split(url, place, faults, written)) is not None:
        if file is None and parts.password is not None:
            faults.add(place, f"a password does not belong here; {_FILE}", shown(url))
        elif not parts.hostname:
            faults.add(place, f"the URL names no host; {_SAYS}", written)
        elif parts.fragment or (parts.query and scheme in ALERTMANAGERS):
            faults.add(place, "nothing may follow the path; leave it away, or write # as %23", written)
        else:
            return True
    return False


def _split(url: str, place: Place, faults: Faults, written: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        faults.add(place, "no valid URL; write SCHEME://HOST:PORT/PATH, with a port up to 65535", written)
        return None
    return parts


def _check_apprise(url: str, place: Place, faults: Faults, *, file: str | None) -> bool:
    try:
        service = apprise_service(url)
    except ValueError as error:
        faults.add(place, str(error), file or shown(url))
        return False
    if not service.verify_certificate:
        faults.add(place, "certificates are always verified; leave `verify` away", file or shown(url))
        return False
    if file is None and (masked(url) != url or _hides_something(service)):
        faults.add(place, f"the URL holds a password or a token; {_FILE}", shown(url))
        return False
    return True


def _hides_something(service: NotifyBase) -> bool:
    """Whether Apprise itself would not show some part of the URL."""
    clear, private = (service.url(privacy=privacy) for privacy in (False, True))  # type: ignore[no-untyped-call]
    return bool(clear != private)


def _check_token(url: str, place: Place, name: str, faults: Faults) -> None:
    if scheme_of(url) not in _OWN:
        faults.add(place, "Apprise takes no token from a file; put it into the URL, and the URL into `url_file`", name)
    elif "@" in urlsplit(url).netloc:
        faults.add(place, "the URL names a user and there is a token_file too; keep one of them", name)


def scheme_of(url: str) -> str:
    """What stands before ``://``, in small letters."""
    return url.partition("://")[0].lower()


def shown(url: str) -> str:
    """As much of a notifier's URL as may be shown: with Apprise any part may be a secret."""
    scheme, found, rest = url.partition("://")
    if not found:
        return masked(url)
    own = scheme.lower() in (*_OWN, "http", "https")
    return f"{scheme}://{_authority(rest) if own else '...'}"


def _authority(rest: str) -> str:
    """Host and port; path and query of a webhook may be secrets too."""
    for end in "/?#":
        rest = rest.partition(end)[0]
    return rest.rpartition("@")[2]


def apprise_service(url: str) -> NotifyBase:
    """The service of an Apprise URL; nothing is sent. ValueError, without the URL, where Apprise cannot use it."""
    from apprise import Apprise, AppriseAsset  # noqa: PLC0415 (takes a third of a second, and few need it)
    from apprise.manager_plugins import NotificationManager  # noqa: PLC0415

    quiet = logging.getLogger("apprise")
    quiet.propagate = False  # what fails is said by us, without what may be secret
    if not quiet.handlers:
        quiet.addHandler(logging.NullHandler())
    scheme = scheme_of(url)
    manager = NotificationManager()  # type: ignore[no-untyped-call]
    if scheme not in manager.schemas():  # type: ignore[no-untyped-call]
        raise ValueError(f"{scheme}:// is not known here, nor to Apprise; {_SAYS}")
    asset = AppriseAsset(app_id="Wattwell", app_desc="Wattwell", app_url="", async_mode=False, storage_mode="memory")
    service = Apprise.instantiate(url, asset=asset)
    if service is None:
        raise ValueError(f"Apprise cannot use this URL; see how it writes {scheme}:// in its documentation")
    return service
