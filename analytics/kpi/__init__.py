"""Key performance indicators, one topic a file; docs/METRICS.md lists formulas and sources."""

from __future__ import annotations

from analytics.kpi.base import Kpi
from analytics.kpi.cer import CER
from analytics.kpi.cfe import CFE
from analytics.kpi.cue import CUE_LOCATION, CUE_MARKET
from analytics.kpi.power import LOAD_FACTOR, PEAK_DEMAND, UPS_EFFICIENCY
from analytics.kpi.pue import DCIE, PUE
from analytics.kpi.ref import REF
from analytics.kpi.reuse import ERE, ERF
from analytics.kpi.subsystems import OVERHEADS, PARTIAL_PUES
from analytics.kpi.wue import RECLAIMED, WUE, WUE_SOURCE

KPIS: dict[str, Kpi] = {
    kpi.name: kpi
    for kpi in (
        PUE,
        WUE,
        REF,
        DCIE,
        UPS_EFFICIENCY,
        PEAK_DEMAND,
        LOAD_FACTOR,
        CUE_LOCATION,
        CUE_MARKET,
        CFE,
        WUE_SOURCE,
        ERF,
        ERE,
        CER,
        RECLAIMED,
        *PARTIAL_PUES,
        *OVERHEADS,
    )
}
"""Every KPI by name."""
