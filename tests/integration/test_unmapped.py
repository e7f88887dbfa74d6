"""From a message that nobody asked for to a meter: `wattwell unmapped`, its proposal pasted, `check`, and the kWh."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.ingest import Ingestor
from tests.collecting import take
from tests.commands import ask, called
from tests.fielding import sent
from wattwell.app.access import open_engine
from wattwell.config import load
from wattwell.intervals import MINUTE, iso, parse_iso

START = parse_iso("2026-03-01T10:00:00Z")
CONFIG = """\
store: {url: "duckdb:wattwell.duckdb"}
sites:
  - id: north
    timezone: Europe/Berlin
    pue_category: 1
    meters:
      - {id: grid-a, role: utility_import, quantity: energy, accumulation: register, max_rate: 500}
"""


def dials(count: int, first: int = 0) -> list[tuple[str, str, int]]:
    """A Shelly Pro 3EM at 6 kW: 100 Wh a minute."""
    made = []
    for step in range(first, first + count):
        at = START + step * MINUTE
        body = f'{{"ts":{at // 1_000_000}.5,"emdata:0":{{"id":0,"total_act":{2852000 + 100 * step}.5}}}}'
        made.append(("shellypro3em-0c/events/rpc", f'{{"method":"NotifyStatus","params":{body}}}', at + 2_000_000))
    return made


def bring(folder: Path, messages: list[tuple[str, str, int]]) -> None:
    """What a running collector does with messages."""
    config = load(folder / "w.yaml")
    with open_engine(config) as engine:
        ingestor = Ingestor(config, engine.store, lambda: messages[-1][2])
        take(ingestor, [sent(*message) for message in messages])
        ingestor.housekeeping(final=True)


@pytest.mark.parametrize("printed", [False, True])
def test_a_proposal_pasted_makes_the_meter(tmp_path: Path, *, printed: bool) -> None:
    config = tmp_path / "w.yaml"
    config.write_text(CONFIG)
    bring(tmp_path, dials(2))
    (topic,) = ask(tmp_path, "unmapped", "w.yaml").json
    assert (topic["topic"], topic["count"]) == ("shellypro3em-0c/events/rpc", 2)
    (proposal,) = topic["proposals"]
    assert proposal["accumulation"] == "register"
    if printed:
        text = called("unmapped", "w.yaml", folder=tmp_path).out
        pasted = text[text.index("- id:") :]
        config.write_text(CONFIG + "".join(f"      {line}\n" for line in [*pasted.splitlines(), "  role: it_ups"]))
    else:
        source = ", ".join(f"{key}: {value}" for key, value in proposal.pop("source").items())
        rest = ", ".join(f"{key}: {value}" for key, value in proposal.items())
        config.write_text(f"{CONFIG}      - {{role: it_ups, {rest}, source: {{{source}}}}}\n")
    assert called("check", "w.yaml", folder=tmp_path).code == 0
    bring(tmp_path, dials(31, 60))
    meter = "shellypro3em-0c-total"
    span = ("--from", iso(START + 60 * MINUTE), "--to", iso(START + 90 * MINUTE))
    rows = ask(tmp_path, "series", "w.yaml", "--site", "north", "--meter", meter, *span).json
    assert [row["value"] for row in rows] == pytest.approx([1.5, 1.5], abs=1e-9)
    assert ask(tmp_path, "rejects", "w.yaml").json[0]["reason"] == "point.unknown"


def test_the_devices_that_ship_are_listed(tmp_path: Path) -> None:
    found = {row["device"]: row for row in ask(tmp_path, "devices").json}
    assert len(found) >= 14
    total = next(point for point in found["shelly-pro-3em"]["points"] if point["point"] == "total")
    assert (total["topic"], total["value"]) == ("{id}/events/rpc", "emdata:0.total_act")
    listed = called("devices", folder=tmp_path)
    assert listed.code == 0
    assert "shelly-pro-3em" in listed.out
    assert "total-a" in listed.out
