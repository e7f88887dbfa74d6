"""Reports by mail with the PDF attached, over services that take no files, and by webhook, against real servers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from apprise import NotifyType

from alerts.attachment import Attachment, AttachmentError
from alerts.chat import Chat, _kind
from alerts.notification import Notification
from alerts.notify import DeliveryError
from alerts.opening import open_notifier
from tests import reporting
from tests.servers import free_port, mosquitto
from tests.telling import mail_server, note, receiver
from wattwell.app.report_files import ReportFiles
from wattwell.engine.report_news import issued, refused
from wattwell.intervals import parse_iso

NOW = parse_iso("2026-11-04T00:00:00Z")
PAGE = "https://watch.example"
REPORT = issued(reporting.full(), PAGE, NOW)
REFUSAL = refused("rz1", "October 2026", "month", "2026-10", 1, ["PUE 0.8 must not be below 1."], PAGE, NOW)
PDF = b"%PDF-1.7\n" + bytes(range(256)) * 40
LINK = f"PDF: {PAGE}/api/v1/reports/rz1/2026-10.pdf"
Attach = Callable[[Notification], Attachment | None]


def made(notification: Notification) -> Attachment:
    return Attachment(name=f"wattwell-{notification.site}-2026-10-r2.pdf", kind="application/pdf", content=PDF)


def failing(_: Notification) -> Attachment:
    raise AttachmentError("the issued report/rz1/2026-10/2 is not in the store")


def mailed(port: int, attach: Attach | None) -> Chat:
    notifier = open_notifier(f"mailto://wattwell@localhost:{port}/?to=plant@example.org", page=PAGE, attach=attach)
    assert isinstance(notifier, Chat)
    return notifier


def text_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def test_a_mail_has_the_figures_and_the_pdf() -> None:
    with mail_server() as box:
        mailed(box.port, made).send([REPORT])
    (mail,) = box.mails
    assert mail["Subject"] == "[ISSUED] rz1: report of October 2026, revision 2"
    (file,) = mail.iter_attachments()
    assert (file.get_filename(), file.get_content_type()) == ("wattwell-rz1-2026-10-r2.pdf", "application/pdf")
    assert file.get_content() == PDF
    assert "iPUE 1.287; target 1.300, met" in text_of(mail)
    assert text_of(mail).rstrip().endswith(f"{PAGE}/sites/rz1/month/2026-10")
    assert LINK not in text_of(mail)


def test_a_pdf_that_cannot_be_made_does_not_hold_up_the_message() -> None:
    with mail_server() as box:
        mailed(box.port, failing).send([REPORT])
    (mail,) = box.mails
    assert list(mail.iter_attachments()) == []
    said = "The PDF is not attached: the issued report/rz1/2026-10/2 is not in the store."
    assert f"{said}\n\n{LINK}\n\n{PAGE}/sites/rz1/month/2026-10" in text_of(mail)


def test_a_service_that_refuses_the_file_gets_the_message_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with mail_server() as box:
        notifier = mailed(box.port, made)
        takes = notifier.service.send

        def no_files(*args: Any, **more: Any) -> object:
            return False if more.get("attach") else takes(*args, **more)

        monkeypatch.setattr(notifier.service, "send", no_files)
        notifier.send([REPORT])
    (mail,) = box.mails
    assert f"The PDF is not attached, since this service did not take it.\n\n{LINK}" in text_of(mail)


def test_a_server_that_is_away_is_a_failed_delivery() -> None:
    with pytest.raises(DeliveryError, match="took no message"):
        mailed(free_port(), made).send([REPORT])


def test_a_refusal_and_alerts_have_no_file() -> None:
    with mail_server() as box:
        notifier = mailed(box.port, failing)
        notifier.send([REFUSAL])
        notifier.send([note("PueHigh", NOW)])
    assert [mail["Subject"] for mail in box.mails] == [
        "[NOT ISSUED] rz1: report of October 2026",
        "[FIRING] a: PueHigh",
    ]
    assert "- PUE 0.8 must not be below 1." in text_of(box.mails[0])
    assert "PDF" not in "".join(map(text_of, box.mails))


def test_a_service_that_takes_no_files_gets_the_link(tmp_path: Path) -> None:
    with mosquitto(tmp_path / "broker") as broker:
        notifier = open_notifier(f"mqtt://127.0.0.1:{broker.port}/reports", page=PAGE, attach=failing)
        assert isinstance(notifier, Chat)
        notifier.send([REPORT])  # nobody has a file made for it
        assert not notifier.service.attachment_support


def test_a_report_is_information_and_a_refusal_a_warning() -> None:
    assert _kind([REPORT]) is NotifyType.INFO
    assert _kind([REFUSAL]) is NotifyType.WARNING
    assert _kind([note("PueHigh", NOW)]) is NotifyType.WARNING


def test_the_webhook_gets_the_links() -> None:
    with receiver() as there:
        open_notifier(there.url("/hook"), page=PAGE, attach=failing).send([REPORT])
    (document,) = there.taken
    assert document["alerts"][0]["annotations"]["pdf"] == f"{PAGE}/api/v1/reports/rz1/2026-10.pdf"


# -- the file -----------------------------------------------------------------------------------------------------


def test_the_file_is_the_pdf_of_the_revision_that_was_issued() -> None:
    files, asked = ReportFiles(), []
    assert files.attach(REPORT) is None  # no engine is open

    def reports(site: str, key: str, revision: int) -> dict[str, object]:
        asked.append((site, key, revision))
        return reporting.full()

    files.reports = reports
    found = files.attach(REPORT)
    assert found is not None
    assert (found.name, found.kind) == ("wattwell-rz1-2026-10-r2.pdf", "application/pdf")
    assert found.content.startswith(b"%PDF-")
    assert asked == [("rz1", "2026-10", 2)]


def test_whatever_fails_in_making_it_is_told_and_not_raised() -> None:
    files = ReportFiles()

    def fails(*_: object) -> dict[str, object]:
        raise KeyError("headlines")

    files.reports = fails
    with pytest.raises(AttachmentError, match=r"it could not be made \(KeyError\)"):
        files.attach(replace(REPORT))
