"""The long example of the interface page, as far as this release supports it."""

from __future__ import annotations

from pathlib import Path

import pytest

from wattwell.config import load
from wattwell.errors import ConfigError
from wattwell.model import Source

EXAMPLE = """\
store: {url: "duckdb:///var/lib/wattwell/wattwell.duckdb"}
mqtt:
  url: mqtt://127.0.0.1:1883
  client_id: wattwell-1
  username: wattwell
  password_file: mqtt.password
  tls: {ca_file: ca.pem, cert_file: c.pem, key_file: k.pem}
  subscribe: ["dc/#"]
http: {listen: "127.0.0.1:8080"}
grid: 15m
late: 31d
coverage: {full: 0.90, provisional: 0.50}
sites:
  - id: zhangbei
    name: Zhangbei
    timezone: Asia/Shanghai
    pue_category: 1
    it_power_kw: 12000
    fiscal_year_start: 4
    wue_numerator: total_input
    targets: {pue: 1.3, wue: 0.45, renewable_share: 0.5}
    limits: [enefg-existing]
    prices: {currency: EUR, electricity_per_kwh: 0.09, water_per_m3: 1.2}
    factors:
      grid_kg_per_kwh: 0.58
      market_kg_per_kwh: 0.45
      grid_carbon_free_share: 0.3
      ewif_l_per_kwh: 1.8
    certificates: certificates.csv
    meters_file: meters.csv
    meters:
      - id: grid-a
        role: utility_import
        quantity: energy
        accumulation: register
        unit: MWh
        equipment: switchboard-a
        parent: null
        sign: 1
        multiplier: 1
        rollover_at: 1000000
        max_rate: 20000
        resolution: 0.1
        accuracy: 0.01
        period: 60s
        max_gap: 5m
        interpolation: linear
        range: [0, 999999.9]
        sentinels: []
        weight: 1
        kg_per_kwh: 0.2
        from: 2025-06-01
        source: {topic: dc/zhangbei/grid-a, decoder: json, value: energy.import_total, time: ts, time_unit: ms}
      - {id: it-total, role: it_ups, quantity: energy, formula: "ups-a + ups-b"}
alerts:
  - {name: PueHigh, kpi: pue, window: 24h, above: 1.30, clear: 1.27, for: 30m, keep_firing: 1h, severity: warning}
notify:
  - {url: "json://127.0.0.1:9093/hook"}
"""
METERS = "id,quantity,accumulation,max_rate\nups-a,energy,register,9000\nups-b,energy,register,9000\n"
CERTIFICATES = "id,kind,start,end,mwh,status,retired_on\nx,ppa,2026-01-01,2027-01-01,900,retired,2027-02-01\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = {"meters.csv": METERS, "certificates.csv": CERTIFICATES, "wattwell.yaml": EXAMPLE}
    files |= dict.fromkeys(("mqtt.password", "ca.pem", "c.pem", "k.pem"), "x")
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_the_example_loads(folder: Path) -> None:
    config = load(folder / "wattwell.yaml")
    site = config.sites["zhangbei"]
    assert list(site.meters) == ["grid-a", "it-total", "ups-a", "ups-b"]
    expected = Source(topic="dc/zhangbei/grid-a", value="energy.import_total", time="ts", time_unit="ms")
    assert site.meters["grid-a"].source == expected
    assert site.meters["it-total"].formula == ((1, "ups-a"), (1, "ups-b"))
    assert config.mqtt is not None
    assert config.mqtt.password_file == folder / "mqtt.password"
    assert any(note.startswith("mqtt.tls") for note in config.notes)
    assert any("ups-a" in note and "mqtt.subscribe" in note for note in config.notes)


def test_a_register_is_not_interpolated_by_choice(folder: Path) -> None:
    text = EXAMPLE.replace("interpolation: linear", "interpolation: step")
    (folder / "wattwell.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="instantaneous"):
        load(folder / "wattwell.yaml")


def test_relative_paths_start_at_the_file_not_at_the_working_folder(folder: Path) -> None:
    elsewhere = folder / "sub"
    elsewhere.mkdir()
    (elsewhere / "wattwell.yaml").write_text(EXAMPLE, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(elsewhere / "wattwell.yaml")
    assert {fault.path for fault in caught.value.faults} >= {"mqtt.password_file", "sites[0].meters_file"}
