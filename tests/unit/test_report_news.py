"""What people and receivers are told of reports: the texts themselves, and who gets them (README, The report)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from alerts import outbox
from alerts.machine import Status
from alerts.message import message_of
from alerts.notification import Notification
from alerts.outbox import Delivery, Outbox
from alerts.webhook import webhook_document
from tests import reporting
from tests.telling import note
from wattwell.engine.report_news import issued, links, refused, report_of
from wattwell.intervals import parse_iso

NOW = parse_iso("2026-11-04T00:00:00Z")
BASE = "https://watch.example"
GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "reports"


def first() -> dict[str, Any]:
    document = reporting.full()
    return document | {"revision": 1, "revisions": document["revisions"][:1]}


def not_issued() -> Notification:
    reasons = ("E_IT 5 kWh must not be above E_DC 4 kWh.", "PUE 0.8 must not be below 1.")
    return refused("rz1", "October 2026", "month", "2026-10", 1, reasons, BASE, NOW)


TOLD = {
    "issued": issued(first(), BASE, NOW),
    "revised": issued(reporting.full(), BASE, NOW),
    "year": issued(reporting.year() | {"revision": 1}, BASE, NOW),
    "empty": issued(reporting.empty() | {"revision": 1}, BASE, NOW),
    "refused": not_issued(),
}


@pytest.mark.parametrize("name", TOLD)
def test_a_message_says_the_first_page_in_words(name: str) -> None:
    title, body = message_of([TOLD[name]], BASE)
    assert f"{title}\n\n{body}\n" == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")


def test_a_revision_tells_at_most_the_figures_of_the_first_page() -> None:
    document = reporting.full()
    change = {"name": "2026-10-03.e_dc", "label": "E_DC of 2026-10-03", "unit": "kWh", "old": 1.0, "new": 2500.5}
    document["revisions"][-1]["changes"] = [change] * 20
    said = issued(document, BASE, NOW).annotations["summary"]
    assert said.count("E_DC of 2026-10-03 1 -> 2,500.5 kWh") == 7
    assert " and 13 more figures. Reason: " in said


def test_a_refusal_tells_ten_reasons_at_most() -> None:
    told = refused("s", "October 2026", "month", "2026-10", 1, [f"Reason {n}." for n in range(12)], "", NOW)
    lines = told.annotations["reasons"].splitlines()
    assert (len(lines), lines[0], lines[-1]) == (11, "- Reason 0.", "- and 2 more")


def test_amounts_are_written_as_on_the_first_page() -> None:
    document = reporting.full()
    change = {"name": "energy.current", "label": "Energy (E_DC)", "unit": "kWh", "old": 4_500_000.0, "new": 4_511_300.0}
    document["revisions"][-1]["changes"] = [change]
    assert "Energy (E_DC) 4,500.0 -> 4,511.3 MWh." in issued(document, BASE, NOW).annotations["summary"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "pue.current", "old": 1.2345, "new": None}, "PUE 1.234 -> \u2013"),
        ({"name": "pue.previous", "old": 1.23449, "new": 1.23448}, "PUE 1.23449 -> 1.23448"),
        ({"name": "pue.previous", "old": 1.234567812, "new": 1.234567813}, "PUE 1.2345678"),
        ({"name": "energy.current", "unit": "kWh", "old": 4511300.0, "new": 4511301.0}, "4,511.3 -> 4,511.301 MWh"),
    ],
)
def test_a_change_is_told_with_digits_that_tell_it(change: dict[str, Any], said: str) -> None:
    document = reporting.full()
    if change["new"] is None:
        document["headlines"][0]["current"] |= {"value": None, "shown": "\u2013"}
    document["revisions"][-1]["changes"] = [{"label": "PUE", "unit": "1"} | change]
    told = issued(document, BASE, NOW).annotations["summary"]
    assert said in told
    old, new = told.partition(": ")[2].partition(". Reason")[0].split(" -> ")
    assert old.split()[-1] != new.split()[0]


def test_a_message_without_an_address_has_no_links() -> None:
    title, body = message_of([issued(first(), "", NOW)], "")
    assert title == "[ISSUED] rz1: report of October 2026"
    assert "http" not in body
    assert links("", "rz1", "month", "2026-10") == {}


def test_the_webhook_gets_alertmanagers_shape_with_links_to_the_report() -> None:
    document = webhook_document([TOLD["issued"]], BASE)
    (alert,) = document["alerts"]
    assert (document["version"], document["status"], document["groupLabels"]) == ("4", "issued", {"site": "rz1"})
    assert (alert["status"], alert["startsAt"], alert["endsAt"]) == ("issued", *["2026-11-04T00:00:00Z"] * 2)
    assert alert["labels"] == {
        "alertname": "WattwellReport",
        "site": "rz1",
        "window": "month",
        "period": "2026-10",
        "revision": "1",
        "severity": "info",
    }
    assert alert["annotations"]["html"] == f"{BASE}/api/v1/reports/rz1/2026-10.html"
    assert alert["annotations"]["pdf"] == f"{BASE}/api/v1/reports/rz1/2026-10.pdf"
    assert alert["generatorURL"] == alert["annotations"]["page"] == f"{BASE}/sites/rz1/month/2026-10"
    assert webhook_document([not_issued()], BASE)["status"] == "not issued"


def test_which_report_a_notification_tells_of() -> None:
    assert report_of(TOLD["revised"]) == ("rz1", "2026-10", 2)
    assert TOLD["revised"].key != TOLD["issued"].key
    assert Notification.from_json(TOLD["revised"].to_json()) == TOLD["revised"]


# -- the outbox ---------------------------------------------------------------------------------------------------


def test_a_report_goes_alone_and_between_alerts_in_order() -> None:
    box, _ = outbox.retarget(Outbox(), ["x"])
    alerts = [note("A", NOW, site="rz1"), note("B", NOW, site="rz1")]
    box = outbox.enqueue(box, [alerts[0], TOLD["issued"], alerts[1]])
    sent = []
    while batch := outbox.due(box, NOW).get("x"):
        sent.append([each.name for each in batch])
        box = outbox.settle(box, [Delivery(notifier="x", batch=batch, error=None)], NOW)
    assert sent == [["A", "B"], ["report of October 2026"]]
    assert box.queues["x"].delivered == 3


def test_a_keeper_is_told_of_no_report() -> None:
    box, _ = outbox.retarget(Outbox(), ["x", "am"], ["am"])
    box = outbox.enqueue(box, [TOLD["issued"], not_issued(), note("A", NOW)])
    assert [each.name for each in box.queues["am"].waiting] == ["A"]
    assert len(box.queues["x"].waiting) == 3


def test_an_outbox_with_reports_is_read_back_and_an_older_one_too() -> None:
    box, _ = outbox.retarget(Outbox(), ["x"])
    box = outbox.enqueue(box, [TOLD["issued"], not_issued()])
    assert outbox.read(outbox.write(box)) == box
    older = outbox.write(outbox.retarget(Outbox(), ["x"])[0]).replace('"version":3', '"version":2')
    assert outbox.read(older).queues["x"].waiting == ()


def test_a_title_counts_reports_beside_alerts() -> None:
    batch = [note("A", NOW, site="rz1"), note("B", NOW, Status.RESOLVED, site="rz1"), TOLD["issued"]]
    assert message_of(batch, BASE)[0] == "[FIRING:1, RESOLVED:1, ISSUED:1] rz1: A, B, report of October 2026"
