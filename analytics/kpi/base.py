"""What every KPI is: the quantities it sums over a window, and how numerator and denominator follow from the sums.

Always a ratio of sums over the intervals in which everything needed has a value, never a mean of ratios.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from wattwell.model import Issue
from wattwell.units import shown

MISSING = {
    "e_dc": "no meter feeds E_DC (utility_import, generator, onsite_renewable, fuel or cooling_import)",
    "e_it": "no meter measures the IT load at the site's PUE category",
    "it_ups": "no meter has the role it_ups",
    "ups_input": "no meter has the role ups_input",
    "power_chain": "no meter has the role ups_input",
    "cooling": "no meter has a cooling role",
    "lighting": "no meter has the role lighting",
    "import": "no meter has the role utility_import",
    "source_water": "no factors: ewif_l_per_kwh, or no meter feeds E_DC",
    "heat_reuse": "no meter has the role heat_reuse",
    "heat_removed": "no meter has the role heat_removed",
    "water_reused": "no meter has the role water_reclaimed or water_recovered",
    "water_total": "no meter measures incoming water (water_input, water_potable, water_reclaimed, water_rain)",
    "water": "the meters of the declared WUE numerator are missing",
    "carbon_location": "no factors: grid_kg_per_kwh for the utility import, or without one no meter with kg_per_kwh",
    "carbon_market": "no factors: market_kg_per_kwh for the utility import, or without one no meter with kg_per_kwh",
    "grid_carbon_free": "no factors: grid_carbon_free_share, or no meter feeds E_DC",
    "renewable": "the site has neither a meter with the role onsite_renewable nor a certificate file",
}
"""Why a KPI has no input, by quantity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """What a KPI comes to over a window, before coverage is judged."""

    numerator: float
    denominator: float
    issues: tuple[Issue, ...] = ()
    """Errors among them leave the KPI without a value."""
    parts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kpi:
    """One KPI: where it comes from stands in its module."""

    name: str
    label: str
    unit: str
    needs: tuple[str, ...]
    """Quantities without which it has no value."""
    uses: tuple[str, ...] = ()
    """Quantities that it takes in where the site has them."""
    any_of: tuple[str, ...] = ()
    """At least one of them must be there."""
    combine: Callable[[Mapping[str, float]], Ratio]
    """From the sums by quantity; one that the site has not is absent."""
    category: bool = False
    """It depends on the PUE category (it has E_IT in it)."""
    interim: bool = False
    """It is called interim for windows other than a year."""
    peak: bool = False
    """It goes by the largest interval of its first quantity, not by its sum alone."""
    hourly: bool = False
    """It is made of whole UTC hours: those that lie within the window and count."""
    basis: str | None = None
    """What its numerator is made of, where that is not the site's choice."""

    def quantities(self, available: Collection[str]) -> tuple[str, ...]:
        """What it sums over a window, in order."""
        return (*self.needs, *(name for name in self.uses if name in available))

    def missing(self, available: Collection[str]) -> tuple[Issue, ...]:
        """What it lacks."""
        lacking = [name for name in self.needs if name not in available]
        if self.any_of and not any(name in available for name in self.any_of):
            lacking.append("renewable")
        return tuple(Issue(code="input.missing", severity="warning", message=MISSING[name]) for name in lacking)


def boundary(e_dc: float, e_it: float) -> tuple[Issue, ...]:
    """E_IT above E_DC over a window is a boundary or sign fault (METRICS); a rounding's worth is not."""
    if e_it <= e_dc + 1e-9 * abs(e_dc):
        return ()
    message = (
        f"the IT load ({shown(e_it)} kWh) is above all that the data centre drew ({shown(e_dc)} kWh): "
        "check signs, multipliers and which meters feed the site"
    )
    return (Issue(code="pue.below_one", severity="error", message=message),)
