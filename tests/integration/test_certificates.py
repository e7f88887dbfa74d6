"""Whoever Wattwell talks to must show a certificate of somebody trusted, in force, and of the host's own name."""

from __future__ import annotations

import ast
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from alerts.notify import DeliveryError
from alerts.opening import open_notifier
from collector.ingest import Ingestor
from collector.mqtt import MqttCollector
from tests.collecting import NOW, MemoryStore, config, meter, mqtt_settings, site
from tests.servers import mosquitto, victoria_metrics, wait_until
from tests.telling import note, receiver
from wattwell.config import load
from wattwell.config.settings import RemoteSettings, Tls
from wattwell.errors import ConfigError, RemoteStoreError
from wattwell.store.victoriametrics import VictoriaMetrics
from wattwell.trust import verifying_context

ROOT = Path(__file__).resolve().parents[2]
_NOW = datetime.now(UTC)
WRONG = ("wrong-host", "expired", "not-yet", "self-signed")
"""The last one is by an authority that nobody trusts."""


@dataclass(frozen=True)
class Papers:
    """Certificates by name in a folder, and the authority to trust."""

    folder: Path

    def files(self, name: str) -> tuple[Path, Path]:
        """Certificate and key."""
        return self.folder / f"{name}.pem", self.folder / f"{name}.key"

    @property
    def authority(self) -> Path:
        """Of all but the self-signed one."""
        return self.folder / "ca.pem"


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    made = Papers(tmp_path_factory.mktemp("papers"))
    trusted, stranger = trustme.CA(), trustme.CA()
    trusted.cert_pem.write_to_path(str(made.authority))
    day = timedelta(days=1)
    for name, issued in {
        "good": trusted.issue_cert("127.0.0.1"),
        "wrong-host": trusted.issue_cert("elsewhere.example", "127.0.0.2"),
        "expired": trusted.issue_cert("127.0.0.1", not_before=_NOW - 9 * day, not_after=_NOW - day),
        "not-yet": trusted.issue_cert("127.0.0.1", not_before=_NOW + day, not_after=_NOW + 9 * day),
        "self-signed": stranger.issue_cert("127.0.0.1"),
    }.items():
        certificate, key = made.files(name)
        issued.cert_chain_pems[0].write_to_path(str(certificate))
        issued.private_key_pem.write_to_path(str(key))
    return made


@pytest.fixture(autouse=True)
def _trusting(papers: Papers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(papers.authority))
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize("scheme", ["jsons", "webhook+https", "alertmanagers"])
@pytest.mark.parametrize("name", [*WRONG, "good"])
def test_who_is_told_of_alerts(papers: Papers, name: str, scheme: str) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*papers.files(name))
    with receiver(tls=tls) as there:
        notifier = open_notifier(there.url("" if scheme == "alertmanagers" else "/alerts", scheme), timeout=10)
        if name == "good":
            notifier.send([note("PueHigh", NOW)])
            assert len(there.taken) == 1
        else:
            with pytest.raises(DeliveryError, match="CERTIFICATE_VERIFY_FAILED"):
                notifier.send([note("PueHigh", NOW)])
            assert there.seen == [], "not even a token went out"


@pytest.mark.parametrize("name", [*WRONG, "good"])
def test_the_remote_store(papers: Papers, tmp_path: Path, name: str) -> None:
    certificate, key = papers.files(name)
    options = ("-tls", f"-tlsCertFile={certificate}", f"-tlsKeyFile={key}")
    with victoria_metrics(tmp_path / "remote", *options) as process:
        store = VictoriaMetrics.open(RemoteSettings(url=process.url.replace("http:", "https:")), {})
        if name == "good":
            assert store.server().flags["tls"] == "true"
        else:
            with pytest.raises(RemoteStoreError, match="is not trusted"):
                store.server()
        store.close()


@pytest.mark.parametrize("name", [*WRONG, "good"])
def test_the_broker(papers: Papers, tmp_path: Path, name: str) -> None:
    certificate, key = papers.files(name)
    lines = (f"certfile {certificate}", f"keyfile {key}", "allow_anonymous true", "user root")
    with mosquitto(tmp_path, *lines) as broker:
        settings = mqtt_settings(broker.port, tls=Tls(ca_file=papers.authority))
        collector = MqttCollector(settings, Ingestor(config(site([meter()])), MemoryStore(), lambda: NOW), lambda: NOW)
        collector.start()
        try:
            wait_until(lambda: collector.status.connected or collector.status.last_error, "an end")
            said = str(collector.status.last_error)
            assert collector.status.connected is (name == "good")
            words = {"expired": "is out of date", "not-yet": "is out of date", "good": "None"}
            assert words.get(name, "is not trusted") in said
        finally:
            collector.stop()


@pytest.fixture
def old_server(papers: Papers) -> ssl.SSLContext:
    """One that speaks nothing newer than TLS 1.1, as far as OpenSSL lets it."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*papers.files("good"))
    tls.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match=r"TLSVersion\.TLSv1"):
        tls.minimum_version, tls.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    return tls


def test_nothing_older_than_tls_1_2_is_spoken(old_server: ssl.SSLContext) -> None:
    context = verifying_context()
    assert (context.minimum_version, context.verify_mode, context.check_hostname) == (
        ssl.TLSVersion.TLSv1_2,
        ssl.CERT_REQUIRED,
        True,
    )
    with receiver(tls=old_server) as there, pytest.raises(DeliveryError, match="cannot be reached"):
        open_notifier(there.url(scheme="jsons"), timeout=10).send([note("PueHigh", NOW)])
    assert there.seen == []


def sources() -> list[Path]:
    packages = ("wattwell", "collector", "analytics", "alerts")
    return [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]


def weakening(node: ast.AST) -> bool:
    """Whether a piece of code makes a context of its own, or takes something away from one."""
    if isinstance(node, ast.Attribute | ast.Name):
        name = node.attr if isinstance(node, ast.Attribute) else node.id
        return name in {"_create_unverified_context", "CERT_NONE", "CERT_OPTIONAL", "tls_insecure_set"}
    if isinstance(node, ast.Call):
        made = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        return made in {"create_default_context", "SSLContext", "tls_set", "wrap_socket"}
    if isinstance(node, ast.Assign):
        names = {target.attr for target in node.targets if isinstance(target, ast.Attribute)}
        return not names.isdisjoint({"check_hostname", "verify_mode"})
    off = isinstance(node, ast.keyword) and isinstance(node.value, ast.Constant)
    return off and node.arg in {"verify", "verify_ssl", "ssl_context", "check_hostname"}


def test_no_code_of_ours_leaves_a_certificate_unverified() -> None:
    """Contexts are made in one place, and what would weaken one is written nowhere."""
    found = [
        f"{path.relative_to(ROOT).as_posix()}: {ast.unparse(node)}"
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if weakening(node)
    ]
    assert len(found) == 1, found
    assert found[0].startswith("wattwell/trust.py: ssl.create_default_context(")


@pytest.mark.parametrize("where", ["url", "url_file"])
@pytest.mark.parametrize("verify", ["no", "False", "0"])
def test_no_configuration_turns_verification_off(tmp_path: Path, where: str, verify: str) -> None:
    (tmp_path / "told").write_text(f"gotifys://127.0.0.1/aBcD?verify={verify}")
    entry = f'{{url: "gotifys://127.0.0.1/aBcD?verify={verify}"}}' if where == "url" else "{url_file: told}"
    (tmp_path / "w.yaml").write_text(f"sites: []\nnotify: [{entry}]\n")
    with pytest.raises(ConfigError) as told:
        load(tmp_path / "w.yaml")
    faults = [fault.remedy for fault in told.value.faults if fault.path.startswith("notify")]
    assert faults == ["certificates are always verified; leave `verify` away"]
