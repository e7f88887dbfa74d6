"""How often, how much at once, and whose request it is: buckets, turns and tokens, without a server."""

from __future__ import annotations

import hmac
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwell.errors import UsageError
from wattwell.web import turns
from wattwell.web.rates import BURST, Rates, client_of
from wattwell.web.tokens import Tokens, read_tokens
from wattwell.web.turns import Busy, Turns


@dataclass
class Clock:
    """Seconds that a test sets."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_is_allowed_and_then_the_rate() -> None:
    clock = Clock()
    rates = Rates(8, clock)
    assert [rates.wait("a") for _ in range(8 * BURST)] == [0.0] * (8 * BURST)
    assert rates.wait("a") == 0.125
    assert rates.wait("b") == 0.0, "others are not concerned"
    clock.now += 0.125
    assert rates.wait("a") == 0.0
    assert rates.wait("a") == 0.125, "what is refused costs nothing"


def test_a_rate_below_one_a_second_lets_one_through() -> None:
    clock = Clock()
    rates = Rates(0.01, clock)
    assert rates.wait("a") == 0.0
    assert rates.wait("a") == pytest.approx(100)
    clock.now += 100.001
    assert rates.wait("a") == 0.0


@given(gaps=st.lists(st.floats(0, 3), min_size=1, max_size=60), rate=st.floats(0.5, 20))
def test_no_span_has_more_than_the_burst_and_the_rate(gaps: list[float], rate: float) -> None:
    clock = Clock(0.0)
    rates = Rates(rate, clock)
    taken = []
    for gap in gaps:
        clock.now += gap
        if rates.wait("a") == 0.0:
            taken.append(clock.now)
    for first, start in enumerate(taken):
        for last, end in enumerate(taken[first:], first):
            assert last - first + 1 <= max(BURST * rate, 1.0) + (end - start) * rate + 1e-6


def test_memory_is_bounded_by_forgetting_who_was_heard_longest_ago() -> None:
    rates = Rates(1, Clock(), clients=3)
    for _ in range(BURST):
        rates.wait("kept")
    for number in range(1000):
        assert rates.wait(f"n{number}") == 0.0
        assert rates.wait("kept") > 0.0, "it is heard again and again, and stays"
        assert len(rates) <= 3


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("127.0.0.1", None),
        ("127.8.8.8", None),
        ("::1", None),
        ("::ffff:127.0.0.1", None),
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("unix", "unix"),
    ],
)
def test_whose_bucket_it_is(address: str, client: str | None) -> None:
    assert client_of(address) == client


def test_a_few_work_a_few_wait_and_the_rest_comes_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_PATIENCE", 30.0)
    working, leave = threading.Semaphore(0), threading.Event()
    few = Turns(2, "questions are being answered")

    def work() -> str:
        with few.turn():
            working.release()
            assert leave.wait(30)
        return "done"

    with ThreadPoolExecutor(8) as pool:
        begun = [pool.submit(work) for _ in range(6)]
        assert all(working.acquire(timeout=30) for _ in range(2))
        while few._present._value:  # type: ignore[attr-defined]  # until the other four wait
            threading.Event().wait(0.001)
        with (
            pytest.raises(Busy, match=r"^2 questions are being answered already; ask again in a few seconds$"),
            few.turn(),
        ):
            pytest.fail("a seventh got in")
        leave.set()
        assert [each.result(30) for each in begun] == ["done"] * 6
    with few.turn():
        pass


def test_who_waits_in_vain_is_told_so_and_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_PATIENCE", 0.01)
    one = Turns(1, "questions are being answered")
    with one.turn():
        for _ in range(5):
            with pytest.raises(Busy), one.turn():
                pytest.fail("two at once")
    with one.turn():
        pass


def test_a_file_of_several_tokens() -> None:
    found = read_tokens("# of the page\nfirst\n\n  grafana:  gr4f:ana+/= \n#old: gone\nthird:no-blank\n")
    assert [(token.name, token.secret) for token in found] == [
        ("token 1", b"first"),
        ("grafana", b"gr4f:ana+/="),
        ("token 3", b"third:no-blank"),
    ]
    assert "gr4f" not in repr(found)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the HTTP token is empty"),
        ("# nothing\n\n", "the HTTP token is empty"),
        ("good\ntwo s3cret-words\n", "line 2 of the HTTP token file is no token"),
        ("a: s3cret-x\na: s3cret-y\n", "names 'a' twice"),
        ("s3cret-\x01", "line 1 of the HTTP token file is no token"),
    ],
)
def test_a_file_that_is_none(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as told:
        read_tokens(text)
    assert "s3cret" not in str(told.value)


def test_every_token_is_compared_by_digests_of_one_length(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[int, int]] = []
    real = hmac.compare_digest

    def watched(left: Any, right: Any) -> bool:
        compared.append((len(left), len(right)))
        return real(left, right)

    tokens = Tokens(read_tokens("one\ntwo: 22\n333333\n"))
    monkeypatch.setattr("wattwell.web.tokens.hmac.compare_digest", watched)
    for given_token, name in ((b"one", "token 1"), (b"333333", "token 3"), (b"", None), (b"22x", None)):
        compared.clear()
        found = tokens.find(given_token)
        assert (found.name if found else None) == name
        assert compared == [(32, 32)] * 3, "all of them, whichever fits, and no length shows"
    cookie = Tokens.cookie(read_tokens("two: 22")[0])
    found = tokens.find_cookie(cookie)
    assert found is not None
    assert found.name == "two"
    assert tokens.find_cookie("é") is None


def test_the_first_use_of_a_token_is_logged_by_its_name(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    tokens = Tokens(read_tokens("new: s3cret-1\ns3cret-2\n"))
    for secret, client in ((b"s3cret-1", "192.0.2.1"), (b"s3cret-1", "192.0.2.2"), (b"s3cret-2", "192.0.2.3")):
        found = tokens.find(secret)
        assert found is not None
        tokens.note(found, client)
    assert caplog.messages == [
        "HTTP token 'new' is used, first by 192.0.2.1",
        "HTTP token 'token 2' is used, first by 192.0.2.3",
    ]
