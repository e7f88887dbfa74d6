"""A small data centre in software: seeded physics with known truth and injectable faults.

The simulator is a pure function of (specification, seed, faults, state): the same numbers come out of one long run
and of the same run in pieces, bit for bit. It is the demo's site, the benchmark's load and the labelled truth that
KPIs and detectors are checked against. Telemetry leaves it as real devices send it (:mod:`.meters`), by file
(:mod:`.files`) or MQTT (:mod:`.publish`).
"""

from collector.simulate.faults import Fault, demo_fault, parse_fault
from collector.simulate.meters import site_document
from collector.simulate.run import simulate
from collector.simulate.simulator import Simulator, Telemetry, excess
from collector.simulate.spec import SiteSpec
from collector.simulate.truth import Truth, TruthKpis

__all__ = [
    "Fault",
    "Simulator",
    "SiteSpec",
    "Telemetry",
    "Truth",
    "TruthKpis",
    "demo_fault",
    "excess",
    "parse_fault",
    "simulate",
    "site_document",
]
