"""The control socket: calls, errors of the same class, and who may open the file."""

from __future__ import annotations

import io
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from wattwell.errors import (
    ConfigError,
    Fault,
    ServiceUnavailable,
    StoreError,
    StoreFull,
    StoreLocked,
    UsageError,
    WattwellError,
)
from wattwell.web.control import ControlClient, create_control_app, pack, unpack
from wattwell.web.server import Server, bind_unix

ERRORS: dict[str, Exception] = {
    "usage": UsageError("window '9h' is not known"),
    "store": StoreError("refused"),
    "locked": StoreLocked("held by 123"),
    "full": StoreFull("disk full"),
    "config": ConfigError([Fault("sites[0].id", "", "give it a name"), Fault("grid", "7m", "write 5m")]),
    "plain": WattwellError("something a user can act on"),
    "defect": RuntimeError("a detail of ours"),
}


def total(args: dict[str, Any], body: bytes) -> dict[str, Any]:
    """Sums the columns that came as npz."""
    columns = np.load(io.BytesIO(body), allow_pickle=False)
    return {"sum": float(columns["value"].sum()), "rows": len(columns["at"]), "site": args["site"]}


def fail(args: dict[str, Any], body: bytes) -> None:
    """Raises one of ERRORS."""
    raise ERRORS[args["kind"]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "wattwell.sock"


@pytest.fixture
def client(path: Path) -> Iterator[ControlClient]:
    handlers = {"total": total, "fail": fail, "echo": lambda args, body: [args, len(body)], "nothing": lambda *_: None}
    server = Server(None, control=create_control_app(handlers), control_path=path)
    server.start()
    yield ControlClient(path)
    server.stop()


def test_arguments_columns_and_result(client: ControlClient) -> None:
    columns = io.BytesIO()
    np.savez(columns, at=np.arange(100_000), value=np.full(100_000, 0.5))
    assert client.call("total", {"site": "berlin"}, columns.getvalue()) == {
        "sum": 50_000.0,
        "rows": 100_000,
        "site": "berlin",
    }
    assert client.call("echo", {"a": [1, None, "é"]}) == [{"a": [1, None, "é"]}, 0]
    assert client.call("nothing", {}) is None


@pytest.mark.parametrize("kind", ["usage", "store", "locked", "full", "config", "plain"])
def test_errors_arrive_as_they_were_raised(client: ControlClient, kind: str) -> None:
    with pytest.raises(WattwellError) as caught:
        client.call("fail", {"kind": kind})
    assert type(caught.value) is type(ERRORS[kind])
    assert str(caught.value) == str(ERRORS[kind])
    if isinstance(caught.value, ConfigError):
        assert caught.value.faults[1] == Fault("grid", "7m", "write 5m")


def test_a_defect_is_an_error_without_its_details(client: ControlClient, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(WattwellError, match=r"the service failed on this call \(RuntimeError\)") as caught:
        client.call("fail", {"kind": "defect"})
    assert "detail of ours" not in str(caught.value)
    assert "control call fail failed" in caplog.text


def test_an_unknown_call_and_a_foreign_payload(client: ControlClient, path: Path) -> None:
    with pytest.raises(UsageError, match="knows no call 'kpis'"):
        client.call("kpis", {})
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(path))) as raw:
        for payload in (b"", b"1234567", b"\xff" * 9, b"\x00" * 7 + b"\x02[]", b"\x00" * 7 + b"\x02{]"):
            answer = raw.post("http://wattwell/control/echo", content=payload)
            assert (answer.status_code, answer.json()["error"]["class"]) == (400, "UsageError")
        assert raw.get("http://wattwell/control/echo").status_code == 405


def test_wire_form() -> None:
    assert unpack(pack({"a": 1}, b"\x00binary")) == ({"a": 1}, b"\x00binary")


def test_only_the_owner_may_open_the_socket(client: ControlClient, path: Path) -> None:
    assert stat.S_IMODE(path.lstat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    assert client.call("echo", {}) == [{}, 0]


def test_nothing_there_is_service_unavailable(path: Path) -> None:
    with pytest.raises(ServiceUnavailable, match=r"no service answers on .*; start it with 'wattwell run'"):
        ControlClient(path).call("echo", {})
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with pytest.raises(ServiceUnavailable, match="ConnectionRefusedError"):
        ControlClient(path).call("echo", {})


def test_a_slow_service_is_service_unavailable(path: Path) -> None:
    with bind_unix(path), pytest.raises(ServiceUnavailable, match="ReadTimeout"):
        ControlClient(path, timeout=0.05).call("echo", {})


def test_a_stale_socket_is_replaced_and_a_living_one_is_not(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    app = create_control_app({"echo": lambda *_: "first"})
    first = Server(None, control=app, control_path=path)
    first.start()
    try:
        with pytest.raises(UsageError, match="another service answers on"):
            Server(None, control=create_control_app({}), control_path=path).start()
        assert ControlClient(path).call("echo", {}) == "first"
    finally:
        first.stop()
    assert not path.exists()


def test_stop_leaves_the_socket_of_another_alone(path: Path) -> None:
    first = Server(None, control=create_control_app({}), control_path=path)
    first.start()
    path.unlink()
    with bind_unix(path):
        first.stop()
        assert path.exists()


def test_a_file_of_another_kind_is_left_alone(path: Path) -> None:
    path.write_text("precious")
    with pytest.raises(UsageError, match="is no socket; move it away"):
        bind_unix(path)
    assert path.read_text() == "precious"


def test_a_path_too_long_or_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is longer than 100 bytes"):
        bind_unix(tmp_path / ("x" * 100))
    with pytest.raises(UsageError, match=r"cannot open the control socket .*: No such file"):
        bind_unix(tmp_path / "gone" / "w.sock")
