"""What a right configuration becomes: defaults, instants, dated factors, files, subscriptions, notes."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from wattwell.config import Config, load, parse
from wattwell.config.meters import FAR_FUTURE, FAR_PAST
from wattwell.config.settings import RemoteSettings, StoreSettings
from wattwell.errors import ConfigError
from wattwell.intervals import DAY, HOUR, MINUTE, SECOND, Interval, parse_iso
from wattwell.model import Accumulation, Interpolation, Source
from wattwell.units import QuantityKind

GOLDEN = Path(__file__).parent.parent / "golden" / "config"
DCSIM = Path(__file__).parents[2].parent / "shared" / "data" / "dcsim" / "wattwell.yaml"


@pytest.fixture(scope="module")
def full() -> Config:
    return load(GOLDEN / "everything.good.yaml")


def small(*meters: dict[str, Any], **more: Any) -> Config:
    site = {"id": "s", "timezone": "Europe/Berlin", "pue_category": 1, "meters": list(meters)}
    return parse({"sites": [site], **more}, Path("/etc/wattwell"))


AIR = {"id": "air", "quantity": "temperature", "accumulation": "instantaneous"}
DIAL = {"id": "dial", "quantity": "energy", "accumulation": "register", "max_rate": 5}


def test_defaults() -> None:
    config = small(AIR, DIAL)
    assert (config.grid, config.late, config.full, config.provisional) == (15 * MINUTE, 31 * DAY, 0.9, 0.5)
    assert config.store.path == Path("/etc/wattwell/wattwell.duckdb")
    assert config.mqtt is None
    assert (config.http.host, config.http.port, config.http.token_file) == ("127.0.0.1", 8080, None)
    assert config.notify == ()
    assert config.rules == ()
    assert not config.alerts_declared
    assert small(AIR, alerts=[]).alerts_declared
    site = config.sites["s"]
    assert (site.name, site.fiscal_year_start, site.wue_numerator) == ("s", 1, "total_input")
    assert (dict(site.targets), site.limits, site.prices, site.certificates) == ({"pue": 1.3}, (), None, None)


def test_defaults_of_a_meter() -> None:
    meter = small(AIR).sites["s"].meters["air"]
    assert (meter.unit, meter.period, meter.max_gap, meter.accuracy) == ("degC", 60 * SECOND, 5 * MINUTE, 0.01)
    assert meter.sentinels == (65535.0, 4294967295.0, 32768.0, -32768.0)
    assert meter.factors == ((FAR_PAST, 1.0),)
    assert meter.in_service == Interval(FAR_PAST, FAR_FUTURE)
    assert (meter.interpolation, meter.source, meter.virtual) == (Interpolation.LINEAR, None, False)


def test_max_gap_follows_the_period() -> None:
    assert small({**AIR, "period": "10m"}).sites["s"].meters["air"].max_gap == 30 * MINUTE
    assert small({**AIR, "period": "100s"}).sites["s"].meters["air"].max_gap == 5 * MINUTE


def test_a_meter_with_everything(full: Config) -> None:
    meter = full.sites["pune"].meters["pv"]
    assert meter.accumulation is Accumulation.REGISTER
    assert (meter.rollover_at, meter.resolution, meter.range, meter.sentinels) == (1e6, 0.1, (0, 999999.9), (-1.0,))
    assert (meter.period, meter.max_gap) == (10 * SECOND, HOUR)
    start, end = (parse_iso(f"{year}-05-31T18:30:00Z") for year in (2025, 2030))
    assert meter.in_service == Interval(start, end)
    days = [parse_iso(f"2026-{day}T18:30:00Z") for day in ("01-31", "02-28")]
    january = parse_iso("2025-12-31T18:30:00Z")
    assert meter.factors == ((FAR_PAST, 1.0), (january, 40.0), (days[0], -40.0), (days[1], -20.0))
    assert meter.source == Source(topic="dc/pune/pv", value="energy.0.total", time="ts", time_unit="ms", unit=None)


def test_constant_multiplier_and_sign_make_one_factor() -> None:
    assert small({**DIAL, "multiplier": 40, "sign": -1}).sites["s"].meters["dial"].factors == ((FAR_PAST, -40.0),)


def test_dates_may_be_date_objects_in_any_order() -> None:
    dated = [{"from": date(2026, 7, 1), "value": 3}, {"from": "2026-01-01", "value": 2}]
    factors = small({**DIAL, "multiplier": dated}).sites["s"].meters["dial"].factors
    assert [value for _, value in factors] == [1.0, 2.0, 3.0]
    assert [at for at, _ in factors] == sorted(at for at, _ in factors)


def test_a_virtual_meter(full: Config) -> None:
    meter = full.sites["pune"].meters["hall-it"]
    assert meter.virtual
    assert meter.formula == ((1, "pdu-a"), (1, "pdu-b"), (-1, "kitchen"))
    assert (meter.unit, meter.accumulation) == ("kWh", Accumulation.INSTANTANEOUS)


def test_a_plain_source_has_no_time_of_its_own(full: Config) -> None:
    expected = Source(topic="plant/x/power", decoder="plain", time=None, unit=None)
    assert full.sites["pune"].meters["export"].source == expected


def test_meters_of_a_file_stand_beside_the_listed_ones(full: Config) -> None:
    meters = full.sites["pune"].meters
    assert list(meters)[-4:] == ["grid", "pdu-a", "pdu-b", "kitchen"]
    grid = meters["grid"]
    assert (grid.unit, grid.range, grid.period, grid.max_rate) == ("MWh", (0, 1000), 10 * SECOND, 20000)
    assert grid.source == Source(topic="dc/pune/grid", value="v")
    assert [value for _, value in meters["pdu-a"].factors] == [1.0, 40.0]
    assert meters["kitchen"].quantity is QuantityKind.POWER


def test_factors_are_constants_or_sorted_hours(full: Config) -> None:
    factors = full.sites["pune"].factors
    first = parse_iso("2026-01-01T00:00:00Z")
    assert factors["grid_kg_per_kwh"].hours.tolist() == [first, first + HOUR]
    assert factors["grid_kg_per_kwh"].values.tolist() == [0.4, 0.5]
    assert factors["market_kg_per_kwh"].constant == 0.1
    assert factors["grid_carbon_free_share"].constant == 0.0


def test_certificates_hold_between_local_dates(full: Config) -> None:
    certificates = full.sites["pune"].certificates
    assert certificates is not None
    assert [(row.id, row.kind, row.kwh, row.status) for row in certificates] == [
        ("go-1", "certificate", 100_000, "retired"),
        ("ppa-1", "ppa", 50_500, "held"),
        ("roof, south", "onsite", 1000, "sold"),
    ]
    january = Interval(parse_iso("2025-12-31T18:30:00Z"), parse_iso("2026-01-31T18:30:00Z"))
    assert certificates[0].interval == january
    assert [row.retired_on for row in certificates] == [date(2026, 3, 1), None, None]


def test_broker_web_and_notifiers(full: Config) -> None:
    mqtt, secret = full.mqtt, GOLDEN / "files" / "secret.txt"
    assert mqtt is not None
    assert mqtt.tls is not None
    assert (mqtt.host, mqtt.port, mqtt.version, mqtt.client_id) == ("broker.example", 8883, "3.1.1", "wattwell-1")
    assert (mqtt.session_expiry, mqtt.max_payload, mqtt.username) == (86400, 65536, "wattwell")
    assert mqtt.password_file == mqtt.tls.ca_file == mqtt.tls.key_file == full.http.token_file == secret
    assert (full.http.host, full.http.port, full.http.public_url) == ("::", 8080, "https://watch.example/dc")
    assert [(notifier.url, notifier.token_file) for notifier in full.notify] == [
        ("jsons://hooks.example/wattwell", secret),
        ("webhook+http://127.0.0.1:9000/hook", None),
        ("alertmanager://127.0.0.1:9093", None),
        ("mailto://ops:not-a-real-password@mail.example.org/?to=plant@example.org", None),
    ]
    assert full.store.path == Path("/var/lib/wattwell/wattwell.duckdb")
    assert full.store.raw_retention == 400 * DAY


def test_subscriptions_are_derived_from_the_meters() -> None:
    meters = [
        {**AIR, "source": {"topic": "dc/x", "value": "a"}},
        {**AIR, "id": "b", "source": {"topic": "dc/x", "value": "b"}},
        {**AIR, "id": "c", "source": {"topic": "wattwell/own/c"}},
    ]
    mqtt = small(*meters, mqtt={"url": "mqtt://h"}).mqtt
    assert mqtt is not None
    assert mqtt.subscribe == ("wattwell/#", "dc/x")
    assert (mqtt.port, mqtt.tls, mqtt.version, mqtt.session_expiry) == (1883, None, "5", 7 * 86400)


def test_notes_say_what_will_have_no_value() -> None:
    notes = "\n".join(small(AIR, mqtt={"url": "mqtt://h", "subscribe": ["dc/#"]}).notes)
    for words in ("it_ups", "utility_import", "WUE", "wattwell/s/air"):
        assert words in notes
    assert "no broker" in "\n".join(small(AIR).notes)
    shared = small(AIR, mqtt={"url": "mqtt://h", "subscribe": ["$share/g/wattwell/#"]})
    assert "wattwell/s/air" not in "\n".join(shared.notes)


def test_a_certificate_retired_without_a_date_is_a_note(tmp_path: Path) -> None:
    text = "id,kind,start,end,mwh,status\nx,ppa,2026-01-01,2026-02-01,1,retired\n"
    (tmp_path / "c.csv").write_text(text, encoding="utf-8")
    site = {"id": "s", "timezone": "Etc/UTC", "pue_category": 1, "certificates": "c.csv", "meters": [AIR]}
    assert any("retired without a date" in note for note in parse({"sites": [site]}, tmp_path).notes)


def test_five_hundred_meters_of_a_file_are_checked(tmp_path: Path) -> None:
    rows = [f"m{n},pump,power,instantaneous,{'' if n == 0 else 'kW' if n % 2 else 'L'}" for n in range(500)]
    text = "\n".join(["id,role,quantity,accumulation,unit", *rows])
    (tmp_path / "m.csv").write_text(text, encoding="utf-8")
    site = {"id": "s", "timezone": "Etc/UTC", "pue_category": 1, "meters_file": "m.csv"}
    with pytest.raises(ConfigError) as caught:
        parse({"sites": [site]}, tmp_path)
    assert len(caught.value.faults) == 249
    assert caught.value.faults[-1].path == "sites[0].meters_file: m.csv line 500, unit"


@pytest.mark.skipif(not DCSIM.exists(), reason="the simulated years are not beside this repository")
def test_the_simulated_site_loads_without_faults() -> None:
    config = load(DCSIM)
    assert len(config.sites["dcsim"].meters) == 32
    assert config.sites["dcsim"].meters["water-site"].unit == "m3"


def test_a_remote_store_has_a_spool_before_it(tmp_path: Path) -> None:
    def store(**keys: str) -> StoreSettings:
        site = {"id": "s", "timezone": "UTC", "pue_category": 1, "meters": [AIR]}
        return parse({"store": keys, "sites": [site]}, tmp_path).store

    (tmp_path / "token").write_text("t")
    near = store(url="victoriametrics://tsdb")
    assert (near.path, near.remote) == (tmp_path / "wattwell.spool.duckdb", RemoteSettings(url="http://tsdb:8428"))
    keys = {"token_file": "token", "spool": "/var/spool.duckdb"}
    far = store(url="victoriametricss://tsdb.example:443/vm/", **keys)
    assert far.path == Path("/var/spool.duckdb")
    assert far.remote == RemoteSettings(url="https://tsdb.example:443/vm", token_file=tmp_path / "token")
    assert store(url="victoriametrics://[::1]:9000").remote == RemoteSettings(url="http://[::1]:9000")
    assert store(url="duckdb:x.duckdb").remote is None


def test_a_bucket_of_influxdb_is_named_by_its_path(tmp_path: Path) -> None:
    def remote(url: str, **keys: Any) -> RemoteSettings | None:
        site = {"id": "s", "timezone": "UTC", "pue_category": 1, "meters": [AIR]}
        section = {"url": url, "token_file": "token"} | keys
        return parse({"store": section, "sites": [site]}, tmp_path).store.remote

    (tmp_path / "token").write_text("t")
    (tmp_path / "ca.pem").write_text("c")
    plain = RemoteSettings(
        url="http://tsdb:8086", kind="influxdb", token_file=tmp_path / "token", org="plant", bucket="wattwell"
    )
    assert remote("influxdb://tsdb/plant/wattwell") == plain
    far = replace(plain, url="https://tsdb:443/db", org="our plant", bucket="a/b", ca_file=tmp_path / "ca.pem")
    kept = replace(far, retention=3650 * DAY, kpi_series=True)
    keys = {"ca_file": "ca.pem", "bucket_retention": "3650d", "kpi_series": True}
    assert remote("influxdbs://tsdb:443/db/our%20plant/a%2Fb/", **keys) == kept


def test_a_cluster_is_written_and_read_at_different_places(tmp_path: Path) -> None:
    site = {"id": "s", "timezone": "UTC", "pue_category": 1, "meters": [AIR]}
    section = {
        "url": "victoriametrics://vminsert:8480/insert/0/influx/",
        "read_url": "victoriametricss://vmselect:8481/select/0/prometheus",
        "nodes": ["http://vmstorage-1:8482/", "http://vmstorage-2:8482"],
    }
    assert parse({"store": section, "sites": [site]}, tmp_path).store.remote == RemoteSettings(
        url="http://vminsert:8480/insert/0/influx",
        read_url="https://vmselect:8481/select/0/prometheus",
        nodes=("http://vmstorage-1:8482", "http://vmstorage-2:8482"),
    )


def test_who_follows_needs_no_broker_and_is_a_little_behind(tmp_path: Path) -> None:
    site = {"id": "s", "timezone": "UTC", "pue_category": 1, "meters": [AIR]}
    config = parse({"store": {"url": "victoriametrics://host", "follow": "10s"}, "sites": [site]}, tmp_path)
    assert config.store.remote == RemoteSettings(url="http://host:8428", follow=10 * SECOND)
    assert config.behind == 25 * SECOND
    sending = parse({"store": {"url": "victoriametrics://host"}, "sites": [site]}, tmp_path)
    assert sending.behind == 0
    assert set(sending.notes) - set(config.notes) == {
        "mqtt: no broker is named, so `run` receives nothing; `backfill` works"
    }
    for pace in ("999ms", "61m"):
        with pytest.raises(ConfigError, match=r"store\.follow = .*: write how often to look, from 1s to 1h"):
            parse({"store": {"url": "victoriametrics://host", "follow": pace}, "sites": [site]}, tmp_path)


def test_a_token_that_travels_in_the_clear_is_noted(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t")

    def notes(url: str) -> str:
        site = {"id": "s", "timezone": "UTC", "pue_category": 1, "meters": [AIR]}
        return "\n".join(parse({"store": {"url": url, "token_file": "token"}, "sites": [site]}, tmp_path).notes)

    assert "token goes to tsdb unencrypted; write the URL with victoriametricss://" in notes("victoriametrics://tsdb")
    for url in ("victoriametricss://tsdb", "victoriametrics://127.0.0.1", "victoriametrics://localhost:8428"):
        assert "token" not in notes(url)
