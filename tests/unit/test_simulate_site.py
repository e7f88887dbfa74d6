"""The simulated site as a whole: KPI ranges, honest meters, a configuration that loads, faults that cost."""

from pathlib import Path

import numpy as np
import pytest

from collector.simulate import Fault, Simulator, SiteSpec, Telemetry, demo_fault, excess, parse_fault, site_document
from collector.simulate.faults import KINDS
from collector.simulate.files import configuration_document
from collector.simulate.meters import MeterPlan, amounts, meter_plans
from wattwell.config.build import parse
from wattwell.errors import UsageError
from wattwell.intervals import DAY, HOUR, MINUTE, Interval, parse_iso
from wattwell.model import Accumulation
from wattwell.units import QuantityKind, scale_to_canonical

SPEC = SiteSpec()
START = parse_iso("2026-01-01T00:00Z")
SPRING = parse_iso("2026-04-14T00:00Z")


def test_healthy_kpis_stay_in_their_range_in_every_season() -> None:
    _, truth = Simulator(SPEC, seed=1, start_us=START, step_us=15 * MINUTE).advance(365 * 96)
    daily = truth.e_dc.reshape(-1, 96).sum(axis=1) / truth.it.reshape(-1, 96).sum(axis=1)
    assert daily.min() > 1.215
    assert daily.max() < 1.30
    for month in range(12):
        part = daily[month * 30 : month * 30 + 30]
        assert 1.22 <= part.mean() <= 1.27
    kpis = truth.kpis()
    assert 0.5 <= kpis.wue <= 1.2
    assert 0.1 <= kpis.ref <= 0.2
    assert truth.chiller.min() > 0
    assert truth.it.max() * 4 < SPEC.it_power_kw


@pytest.mark.parametrize("month", range(1, 13))
def test_the_demo_fault_lifts_pue_above_1_6_within_a_minute(month: int) -> None:
    begin = parse_iso(f"2026-{month:02d}-20T13:00Z")
    simulator = Simulator(SPEC, seed=5, start_us=begin - HOUR, faults=demo_fault(SPEC, begin))
    _, truth = simulator.advance(120)
    ratio = truth.e_dc / truth.it
    assert ratio[59] < 1.31
    assert (ratio[60:] > 1.65).all()


def dial_amount(plan: MeterPlan, values: np.ndarray) -> float:
    """What a person reads off a register: the steps, with one turn at each rollover."""
    steps = np.diff(values)
    if plan.rollover_at is not None:
        steps = np.where(steps < 0, steps + plan.rollover_at, steps)
    assert (steps >= -1e-9).all()
    return float(steps.sum()) * scale_to_canonical(plan.quantity, plan.unit)


def test_a_run_goes_on_with_another_step_where_it_was() -> None:
    coarse = Simulator(SPEC, seed=2, start_us=START, step_us=5 * MINUTE)
    coarse.advance(100)
    fine = coarse.onwards(MINUTE)
    assert (fine.now, fine.step_us, fine.seed) == (coarse.now, MINUTE, 2)
    closing, (row, _) = coarse.closing(), fine.advance(1)
    amounts_of = [plan.id for plan in meter_plans(SPEC) if plan.accumulation is not Accumulation.INSTANTANEOUS]
    assert {meter: row.values[meter][0] for meter in amounts_of} == {m: closing.values[m][0] for m in amounts_of}
    next_row, _ = fine.advance(1)
    assert 0 < next_row.values["ups-out"][0] - row.values["ups-out"][0] < SPEC.it_power_kw / 60


def test_meters_show_the_truth() -> None:
    simulator = Simulator(
        SiteSpec(pv_kw_per_it_kw=3.0), seed=3, start_us=parse_iso("2026-06-01T00:00Z"), step_us=5 * MINUTE
    )
    telemetry, truth = simulator.advance(15 * 288)
    closing = simulator.closing()
    assert closing.at.tolist() == [simulator.now]
    flows = amounts(truth)
    rolled = 0
    for plan in meter_plans(simulator.spec):
        values = np.concatenate([telemetry.values[plan.id], closing.values[plan.id]])
        resolution = scale_to_canonical(plan.quantity, plan.unit) / plan.per_unit if plan.id in flows else 0.0
        if plan.accumulation is Accumulation.REGISTER:
            rolled += int((np.diff(values) < 0).sum())
            assert dial_amount(plan, values) == pytest.approx(float(flows[plan.id].sum()), abs=1.01 * resolution)
        elif plan.accumulation is Accumulation.DELTA:
            assert values[0] == 0.0
            amount = float(values.sum()) * scale_to_canonical(plan.quantity, plan.unit)
            assert amount == pytest.approx(float(flows[plan.id].sum()), abs=1.01 * resolution)
    assert rolled >= 2
    assert float(truth.grid_export.sum()) > 0
    lights = float(telemetry.values["lights"].sum()) * 5 / 60
    assert lights == pytest.approx(float(truth.lighting.sum()), abs=1e-3)


def test_telemetry_has_every_meter_finite_and_within_its_limits() -> None:
    telemetry, _ = Simulator(SPEC, seed=4, start_us=START).advance(1440)
    plans = meter_plans(SPEC)
    assert list(telemetry.values) == [plan.id for plan in plans]
    assert telemetry.at.dtype == np.int64
    assert np.diff(telemetry.at).tolist() == [MINUTE] * 1439
    for plan in plans:
        values = telemetry.values[plan.id]
        assert np.isfinite(values).all()
        if plan.max_rate is None or plan.accumulation is Accumulation.INSTANTANEOUS:
            continue
        amount = np.diff(values) if plan.accumulation is Accumulation.REGISTER else values
        by_minute = amount[amount >= 0] * scale_to_canonical(plan.quantity, plan.unit)
        assert by_minute.max() <= plan.max_rate * (1 / 60 if plan.quantity is QuantityKind.ENERGY else 60)
        assert by_minute.max() > 0 or plan.id == "grid-export"


ROLES = {
    "utility_import", "grid_export", "onsite_renewable", "ups_input", "it_ups", "chiller", "cooling_tower", "pump",
    "ahu", "lighting", "other", "heat_removed", "water_input", "water_tower_makeup", "water_blowdown", "fan_speed",
    "outdoor_dry_bulb", "outdoor_wet_bulb", "outdoor_humidity", "outdoor_air_fraction", "supply_air", "return_air",
    "hall_air", "chw_supply", "chw_return", "chw_flow", "cw_supply", "cw_return", "cw_flow",
}  # fmt: skip


def test_the_document_is_a_valid_configuration_with_the_roles_of_the_interface(tmp_path: Path) -> None:
    config = parse(configuration_document(SPEC, MINUTE), tmp_path)
    site = config.sites["sim"]
    assert {meter.role for meter in site.meters.values()} == ROLES | {None}
    assert len(site.meters) == len(meter_plans(SPEC)) >= 30
    assert sum(meter.role == "pump" for meter in site.meters.values()) == 2
    assert sum(meter.role == "ahu" for meter in site.meters.values()) == 2
    assert {meter.accumulation for meter in site.meters.values()} == set(Accumulation)
    assert {meter.period for meter in site.meters.values()} == {MINUTE}
    assert site.it_power_kw == 500.0


def test_period_reaches_every_meter() -> None:
    assert {meter["period"] for meter in site_document(SPEC, "10s")["meters"]} == {"10s"}


def test_parents_hold_what_their_children_measure() -> None:
    simulator = Simulator(SPEC, seed=2, start_us=START)
    _, truth = simulator.advance(60)
    flows = dict(amounts(truth)) | {"lights": truth.lighting}
    plans = meter_plans(SPEC)
    for parent, slack in (("main", 0), ("ups-in", truth.ups_loss.sum()), ("water-main", 0)):
        children = sum(flows[plan.id].sum() for plan in plans if plan.parent == parent)
        assert float(flows[parent].sum() - children) == float(slack)


CASES = {
    "economizer_stuck": (0.05, "ahu"),
    "chiller_efficiency": (0.25, "chiller"),
    "fan_power": (0.4, "ahu_east"),
    "chilled_water_setpoint": (4.0, "chiller"),
    "ups_loss": (0.5, "ups_loss"),
    "pump_full_speed": (1.0, "chw_pump"),
    "water_leak": (120.0, "leak"),
    "unexpected_load": (20.0, "house"),
    "sensor_bias": (-5.0, "chiller"),
    "overcooling": (3.0, "ahu_west"),
}


def test_every_kind_of_fault_has_a_case() -> None:
    assert set(CASES) == set(KINDS)


@pytest.mark.parametrize("kind", CASES)
def test_a_fault_raises_what_it_should_only_while_it_lasts(kind: str) -> None:
    size, column = CASES[kind]
    span = Interval(SPRING + DAY, SPRING + 2 * DAY)
    fault = Fault(kind, span.start, span.end, size)
    sick, well = (
        Simulator(SPEC, seed=9, start_us=SPRING, step_us=5 * MINUTE, faults=faults).advance(4 * 288)[1]
        for faults in ((fault,), ())
    )
    raised = "chiller" if column == "ahu" else column
    change = getattr(sick, raised) - getattr(well, raised)
    assert (change[:288] == 0).all()
    assert change[288:576].mean() > 0
    assert (sick.e_dc[576 + 144 :] == well.e_dc[576 + 144 :]).all()
    cost = excess(SPEC, [fault], span, seed=9, step_us=5 * MINUTE)
    assert (cost.kwh > 0) == (kind != "water_leak")
    assert cost.kwh == pytest.approx(float((sick.e_dc - well.e_dc)[288:576].sum()), abs=1e-9)
    assert cost.litres == pytest.approx(float((sick.water_input - well.water_input)[288:576].sum()), abs=1e-9)
    if kind in ("unexpected_load", "water_leak"):
        assert (cost.kwh or cost.litres) == pytest.approx(24 * size)


def test_known_costs() -> None:
    truth = Simulator(SPEC, seed=9, start_us=SPRING, step_us=5 * MINUTE).advance(288)[1]
    half = Fault("chiller_efficiency", SPRING, None, 0.5)
    sick = Simulator(SPEC, seed=9, start_us=SPRING, step_us=5 * MINUTE, faults=[half]).advance(288)[1]
    assert sick.chiller.sum() == pytest.approx(2 * truth.chiller.sum(), rel=1e-6)
    filters = Fault("fan_power", SPRING, None, 0.4)
    sick = Simulator(SPEC, seed=9, start_us=SPRING, step_us=5 * MINUTE, faults=[filters]).advance(288)[1]
    assert sick.ahu_east.sum() == pytest.approx(1.4 * truth.ahu_east.sum(), rel=1e-6)
    assert (sick.ahu_west == truth.ahu_west).all()


def test_a_sensor_that_reads_high_shuts_the_damper_on_warm_days() -> None:
    spec = SiteSpec(mean_c=17.0)
    june = parse_iso("2026-06-20T00:00Z")
    fault = Fault("sensor_bias", june, None, 6.0)
    simulator = Simulator(spec, seed=9, start_us=june, step_us=5 * MINUTE, faults=[fault])
    telemetry, _ = simulator.advance(2 * 288)
    assert telemetry.values["ahu-oat"] - telemetry.values["oat"] == pytest.approx(6.0, abs=0.11)
    assert excess(spec, [fault], Interval(june, june + 2 * DAY), seed=9, step_us=5 * MINUTE).kwh > 0


def test_faults_of_a_kind_add_up_and_the_last_position_wins() -> None:
    span = (SPRING, SPRING + DAY)
    two = [Fault("unexpected_load", *span, 5.0), Fault("unexpected_load", *span, 7.0)]
    assert excess(SPEC, two, Interval(*span), seed=1).kwh == pytest.approx(24 * 12.0)
    stuck = [Fault("economizer_stuck", *span, 0.1), Fault("economizer_stuck", *span, 0.2)]
    telemetry, _ = Simulator(SPEC, seed=1, start_us=SPRING, faults=stuck).advance(10)
    assert telemetry.values["oa-fraction"].tolist() == [0.2] * 10


def test_injecting_leaves_the_past_alone() -> None:
    simulator = Simulator(SPEC, seed=1, start_us=SPRING)
    before, _ = simulator.advance(10)
    simulator.inject(Fault("unexpected_load", SPRING, None, 50.0))
    after, truth = simulator.advance(10)
    whole, _ = Simulator(SPEC, seed=1, start_us=SPRING).advance(20)
    assert isinstance(before, Telemetry)
    assert (before.values["main"] == whole.values["main"][:10]).all()
    assert (after.values["main"][1:] > whole.values["main"][11:]).all()
    assert truth.house.min() * 60 > 50.0


@pytest.mark.parametrize(
    ("text", "start", "end", "size"),
    [
        ("ups_loss:2026-01-05T00:00Z:2026-01-12T00:00Z:0.25", "2026-01-05T00:00Z", "2026-01-12T00:00Z", 0.25),
        ("ups_loss:2026-01-05T01:00+01:00::0.25", "2026-01-05T00:00Z", None, 0.25),
        ("ups_loss:2026-01-05T00:00:30Z:1e-1", "2026-01-05T00:00:30Z", None, 0.1),
        ("ups_loss:2026-01-05:2026-07-01:3", "2026-01-04T23:00Z", "2026-06-30T22:00Z", 3.0),
        ("ups_loss:+1d:+1d12h:3", "2026-01-02T00:00Z", "2026-01-02T12:00Z", 3.0),
    ],
)
def test_fault_texts(text: str, start: str, end: str | None, size: float) -> None:
    fault = parse_fault(text, SPEC, START)
    assert fault == Fault("ups_loss", parse_iso(start), None if end is None else parse_iso(end), size)
    assert parse_fault(str(fault), SPEC, START) == fault


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ups_loss", "KIND:START:END:SIZE"),
        ("ups_loss:2026-01-05T00:00:0.25", "KIND:START:END:SIZE"),
        ("melt_down:2026-01-05T00:00Z::1", "'melt_down' is not known; use one of economizer_stuck"),
        ("ups_loss:2026-01-05T00:00Z::much", "much"),
        ("ups_loss:2026-01-05T00:00Z::nan", "out of range"),
        ("ups_loss:2026-01-05T00:00Z::-1", "extra share of the losses"),
        ("chiller_efficiency:2026-01-05T00:00Z::1", "size 1 of fault chiller_efficiency"),
        ("ups_loss:2026-13-05T00:00Z::1", "month"),
        ("ups_loss:+1x::1", "1x"),
        ("ups_loss:2026-01-05T00:00Z:2026-01-04T00:00Z:1", "give a later end"),
    ],
)
def test_a_wrong_fault_text_names_value_and_remedy(text: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_fault(text, SPEC, START)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_wrong_step_is_refused() -> None:
    with pytest.raises(UsageError, match="choose 1 s to 1 h"):
        Simulator(SPEC, seed=1, start_us=START, step_us=2 * HOUR)
    with pytest.raises(ValueError, match="at least one"):
        Simulator(SPEC, seed=1, start_us=START).advance(0)
