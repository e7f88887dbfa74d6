"""``wattwell findings`` asks for no more than it prints."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from wattwell.cli import findings


class Asked:
    """An access without findings, that keeps what it was asked."""

    def __init__(self) -> None:
        self.questions: list[str] = []

    def refresh(self) -> None:
        """There is nothing to bring up to date."""

    def ask(self, question: str, **_: object) -> list[object]:
        self.questions.append(question)
        return []


@pytest.mark.parametrize(("json", "asked"), [(True, ["findings"]), (False, ["findings", "problems"])])
def test_what_is_not_printed_is_not_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], json: bool, asked: list[str]
) -> None:
    access = Asked()

    @contextmanager
    def reach(*_: object, **__: object) -> Iterator[Asked]:
        yield access

    monkeypatch.setattr(findings, "reach", reach)
    monkeypatch.setattr(findings, "part_of", lambda _: None)
    given = dict.fromkeys(("id", "start", "end", "status", "limit"))
    assert findings.findings(Namespace(**given, models=False, json=json, site="north")) == 0
    assert access.questions == asked
    assert capsys.readouterr().out.strip() == ("[]" if json else "No finding.")
