"""InfluxDB 2 as it is written to and asked, against a server that answers as its documentation says.

No InfluxDB was at hand: the answers to queries are annotated CSV as the documentation shows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.remotes import GOLDEN, Influx, answering, influx_settings, said
from tests.support import T0
from wattwell.errors import RemoteStoreError, UsageError
from wattwell.intervals import DAY, HOUR, MINUTE, SECOND, parse_iso
from wattwell.store import flux, writer
from wattwell.store.influxdb import Bucket, InfluxDB
from wattwell.store.outbox import START, Outgoing, Refusal, TooManyRefused
from wattwell.store.remote import KpiPoint, Sample

A, B = ("s", "a"), ("s", "b")
MARCH = parse_iso("2026-03-01T00:00:00Z")


@pytest.fixture
def server() -> Influx:
    return Influx(buckets={"wattwell": 0})


@pytest.fixture
def remote(server: Influx, tmp_path: Path) -> Iterator[InfluxDB]:
    with answering(server) as url:
        store = InfluxDB.open(influx_settings(url, tmp_path), {A: "kWh"})
        yield store
        store.close()


def outgoing(*rows: tuple[int, int, float, int]) -> Outgoing:
    """Readings as (meter, seconds after T0, value, revision)."""
    meter, at, value, revision = (np.array(column) for column in zip(*rows, strict=True))
    return Outgoing(
        keys=(A, B),
        meter=meter,
        at=T0 + at * SECOND,
        value=value.astype(np.float64),
        revision=revision,
        apart=np.zeros(len(rows), np.bool_),
        last=START,
    )


def test_readings_are_points_of_floats_at_microseconds(server: Influx, remote: InfluxDB) -> None:
    sent = outgoing((0, 0, 5.0, 0), (0, 1, 1 / 3, 0), (0, 1, 1e300, 2), (1, 1, -2.0, 0))
    for _ in range(2):
        assert remote.write(replace(sent, at=sent.at + 7)) == []
    assert server.points == {
        f"wattwell_reading,site=s,meter=a,unit=kWh {T0 + 7}": "value=5.0",
        f"wattwell_reading,site=s,meter=a,unit=kWh {T0 + SECOND + 7}": "value=0.3333333333333333",
        f"wattwell_reading,site=s,meter=a,unit=kWh,revision=2 {T0 + SECOND + 7}": "value=1e+300",
        f"wattwell_reading,site=s,meter=b {T0 + SECOND + 7}": "value=-2.0",
    }
    (one, _) = server.asked
    assert (one.method, one.path) == ("POST", "/api/v2/write")
    assert dict(one.query) == {"org": "plant", "bucket": "wattwell", "precision": "us"}
    assert (one.headers["Authorization"], remote.identity()) == ("Token secret-token", "influxdb")


def test_requests_are_bounded(server: Influx, remote: InfluxDB, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "LINES", 40)
    assert remote.write(outgoing(*((0, n, float(n), 0) for n in range(100)))) == []
    assert [each.text.count("\n") + 1 for each in server.asked] == [40, 40, 20]
    assert len(server.points) == 100


def test_kpi_values_replace_those_before(server: Influx, remote: InfluxDB) -> None:
    point = KpiPoint(site="north hall", kpi="pue", window="24h", at=T0, value=1.25, revision=0)
    remote.write_kpis([point])
    assert remote.write_kpis([replace(point, value=1.5, revision=3)]) == []
    assert server.points == {
        rf"wattwell_kpi,site=north\ hall,kpi=pue,window=24h {T0}".replace(r"\ ", "\\ "): "value=1.5"
    }


@pytest.mark.parametrize("whole", [False, True])
def test_poison_is_found_and_the_rest_is_taken(server: Influx, remote: InfluxDB, whole: bool) -> None:
    bad = tuple(f" value={n}.0 " for n in (3, 40, 41, 99))
    server.malformed, server.poison = (bad, ()) if whole else ((), bad)
    refused = remote.write(outgoing(*((n % 2, n, float(n), 0) for n in range(100))))
    assert sorted((each.at - T0) // SECOND for each in refused) == [3, 40, 41, 99]
    assert len(server.points) == 96
    why = "unable to parse" if whole else "points beyond retention policy"
    assert all(why in each.why for each in refused)
    assert len(server.asked) < 70


def test_early_versions_say_it_with_another_status_and_late_ones_in_more_words(
    server: Influx, remote: InfluxDB
) -> None:
    drop = "partial write: points beyond retention policy dropped=1"
    server.refuse = said(500, "internal error", f"unexpected error writing points to database: {drop}")
    assert len(remote.write(outgoing((0, 0, 1.0, 0)))) == 1
    drop = "partial write: dropped 2 points outside retention policy of duration 24h0m0s - oldest ... dropped=2 for ..."
    server.refuse = said(422, "unprocessable entity", f"failure writing points to database: {drop}")
    assert [each.why for each in remote.write(outgoing((0, 0, 1.0, 0), (0, 1, 1.0, 0)))] == [
        f"failure writing points to database: {drop}"
    ] * 2


def test_a_request_that_is_dropped_whole_needs_no_search(server: Influx, remote: InfluxDB) -> None:
    server.poison = ("value",)
    refused = remote.write(outgoing(*((0, n, float(n), 0) for n in range(100))))
    assert (len(refused), len(server.asked)) == (100, 1)
    assert refused[0] == Refusal(key=A, at=T0, why=refused[0].why)
    server.asked.clear()
    assert [each.at for each in remote.write(outgoing((0, 5, 1.0, 0)))] == [T0 + 5 * SECOND]


def test_a_server_that_refuses_whatever_it_is_sent_has_nothing_set_aside(server: Influx, remote: InfluxDB) -> None:
    server.malformed = ("value",)
    with pytest.raises(RemoteStoreError, match=r"refuses \(HTTP 400: unable to parse"):
        remote.write(outgoing(*((0, n, float(n), 0) for n in range(1000))))
    assert len(server.asked) <= 200
    with pytest.raises(RemoteStoreError, match="refuses"):
        remote.write(outgoing((0, 0, 1.0, 0)))


def test_what_was_taken_before_tells_that_it_is_the_reading(server: Influx, remote: InfluxDB) -> None:
    server.malformed = (" value=1.0 ",)
    alone = outgoing((0, 1, 1.0, 0))
    with pytest.raises(RemoteStoreError, match="refuses"):
        remote.write(alone)
    assert remote.write(outgoing((0, 0, 0.0, 0))) == []
    assert [each.at for each in remote.write(alone)] == [T0 + SECOND], "although no other reading is beside it"
    server.malformed = ("value",)
    with pytest.raises(RemoteStoreError, match="refuses"):
        remote.write(alone)
    assert len(server.points) == 1


def test_where_most_is_refused_fewer_are_asked_for(server: Influx, remote: InfluxDB) -> None:
    rows = [(0, n, float(n >= 900), 0) for n in range(1000)]
    server.malformed = (" value=0.0 ",)
    with pytest.raises(TooManyRefused):
        remote.write(outgoing(*rows))
    assert len(server.asked) < 210
    assert remote.write(outgoing(*rows[900:])) == []
    server.asked.clear()
    assert len(remote.write(outgoing(*rows[:100]))) == 100
    assert len(server.asked) == 200, "each line alone, the parts before, and one that was taken"
    point = KpiPoint(site="s", kpi="pue", window="24h", at=T0, value=0.0, revision=0)
    points = [replace(point, at=T0 + n, value=float(n >= 140)) for n in range(150)]
    assert len(remote.write_kpis(points)) == 140, "KPI values are told apart to the end"


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (401, "does not let us in .*store.token_file"),
        (403, "does not let us in .*store.token_file"),
        (404, 'refuses .HTTP 404: bucket "wattwell" not found'),
        (429, "refuses .HTTP 429"),
        (500, "refuses .HTTP 500"),
        (503, "refuses .HTTP 503"),
    ],
)
def test_what_may_be_otherwise_later_is_tried_again(server: Influx, remote: InfluxDB, status: int, says: str) -> None:
    server.refuse = said(status, "code", 'bucket "wattwell" not found')
    for ask in (lambda: remote.write(outgoing((0, 0, 1.0, 0))), lambda: remote.read(*A, T0, T0 + 1)):
        with pytest.raises(RemoteStoreError, match=says) as told:
            ask()
        assert "secret-token" not in str(told.value)


def test_a_server_that_is_away_is_named(tmp_path: Path) -> None:
    remote = InfluxDB.open(influx_settings("http://127.0.0.1:9", tmp_path), {})
    said = r"http://127.0.0.1:9/plant/wattwell does not answer \(Connection refused\)"
    for ask in (lambda: remote.write(outgoing((0, 0, 1.0, 0))), lambda: remote.count_by_meter(0, 1), remote.version):
        with pytest.raises(RemoteStoreError, match=said):
            ask()
    remote.close()


def test_a_token_or_ca_file_without_one_is_told(tmp_path: Path) -> None:
    settings = influx_settings("https://127.0.0.1:9", tmp_path)
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(UsageError, match=r"token_file .*empty is empty"):
        InfluxDB.open(replace(settings, token_file=tmp_path / "empty"), {})
    with pytest.raises(UsageError, match=r"ca_file .*empty holds no certificate"):
        InfluxDB.open(replace(settings, ca_file=tmp_path / "empty"), {})


# -- reading ----------------------------------------------------------------------------------------------------------


def test_samples_come_back_to_the_microsecond_and_the_bit(server: Influx, remote: InfluxDB) -> None:
    server.answers = [(GOLDEN / "samples.csv").read_text()]
    assert remote.read("s", "a", MARCH, MARCH + HOUR) == [
        Sample(at=MARCH + 123, revision=0, value=0.1 + 0.2),
        Sample(at=MARCH + 123, revision=1, value=2.0),
        Sample(at=MARCH + MINUTE, revision=0, value=1e300),
    ]
    (asked,) = server.asked
    assert (asked.method, asked.path, dict(asked.query)) == ("POST", "/api/v2/query", {"org": "plant"})
    assert server.queries() == [flux.samples("wattwell", "s", "a", MARCH, MARCH + HOUR)]


def test_counts_are_summed_over_the_series_of_a_meter(server: Influx, remote: InfluxDB) -> None:
    server.answers = [(GOLDEN / "counts.csv").read_text(), ""]
    assert remote.count_by_meter(MARCH, MARCH + HOUR) == {(A, 0): 65, (A, 1): 2, (B, 0): 61}
    assert remote.count_by_meter(MARCH, MARCH + 1) == {}
    assert server.queries() == [flux.counts("wattwell", MARCH, MARCH + each) for each in (HOUR, 1)]


def test_the_latest_sample_is_that_of_any_series(server: Influx, remote: InfluxDB) -> None:
    server.answers = [(GOLDEN / "latest.csv").read_text()]
    assert remote.latest(MARCH, MARCH + HOUR) == {A: MARCH + 59 * MINUTE + SECOND // 2, B: MARCH + 2 * MINUTE}
    assert server.queries() == [flux.latest("wattwell", MARCH, MARCH + HOUR)]


def test_an_error_inside_an_answer_is_an_error(server: Influx, remote: InfluxDB) -> None:
    server.answers = [(GOLDEN / "error.csv").read_text()]
    with pytest.raises(RemoteStoreError, match="failed to create physical plan: no bucket"):
        remote.read("s", "a", MARCH, MARCH + HOUR)


# -- setting up -------------------------------------------------------------------------------------------------------


def test_a_bucket_is_created_with_its_retention(server: Influx, tmp_path: Path) -> None:
    with answering(server) as url:
        for name, retention in (("kept", None), ("short", 30 * DAY)):
            settings = replace(influx_settings(url, tmp_path, name), retention=retention)
            remote = InfluxDB.open(settings, {})
            assert remote.bucket() is None
            remote.create_bucket()
            assert remote.bucket() == Bucket(name=name, retention=retention)
            remote.close()
    assert server.buckets == {"wattwell": 0, "kept": 0, "short": 30 * 86400}
