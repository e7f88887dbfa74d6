"""The detector's settings: one place, each with its unit and reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How expectations are learnt, how sure a departure must be, and when one ends."""

    learn_every: int = 14 * 24
    """Hours between two learnings; aligned to the epoch, so that they do not depend on when data came."""
    try_every: int = 84 * 24
    """Hours at most between two learnings that try the history out on itself; sooner while it is short."""
    memory: int = 500 * 24
    """Hours of history that are learnt from."""
    least_history: int = 28 * 24
    """Hours of known, healthy history before a stream is judged."""
    allowance: float = 0.5
    """k of the CUSUM: half of the departure to be found, in standard errors of one hour."""
    wander: float = 1.1
    """... and at least so many times what whole weeks of the stream's healthy history were off."""
    least_limit: float = 15.0
    """h of the CUSUM, at least; a stream whose own healthy history went higher has its own."""
    margin: float = 1.5
    """How far above its history's highest sum a stream's limit lies."""
    margin_short: float = 3.0
    """By how much more where history is short; it fades to none over ``long_history``."""
    long_history: int = 300 * 24
    clip: float = 8.0
    """One hour counts at most so many standard errors: no single hour raises an alarm."""
    far: float = 2.0
    """Distance from like hours, in driver scales, beyond which an hour is not judged."""
    far_load: float = 6.0
    """The same where the stream goes with one load: losses follow their curve beyond what was seen."""
    far_plant: float = 1.0
    """The same where a machine is compared with its own curve: beyond what was seen the curve is not known."""
    drift_from: int = 35 * 24
    """The slow drift of a healthy plant is what it was off on average from so many hours ago ..."""
    drift_to: int = 3 * 24
    """... until so many hours ago."""
    drift_most: float = 1.0
    """In standard errors: faster changes are not drift."""
    least_share: float = 0.08
    """Share of what is expected below which an excess is no finding."""
    least_of_it: float = 0.0025
    """Share of the IT load below which an excess power is no finding."""
    least_share_fan: float = 0.13
    """The same of fans: filters load up and are changed."""
    least_weeks: float = 2.5
    """... and in multiples of what the expectation of whole weeks was off."""
    least_share_water: float = 0.12
    """The same of water."""
    least_loss: float = 0.004
    """Share of the IT load: an efficiency that moves by less is the UPS's own."""
    least_water: float = 3.0
    """Litres an hour below which an excess of water is no finding."""
    corroborates: float = 2.5
    """Standard errors by which a stream is off on average to bear out a cause before it alarms itself."""
    goes_along: float = 0.3
    """Standard errors by which a stream is off on average to count to a case that it does not show."""
    consequence: float = 1.5
    """Standard errors by which something that costs must be off for a damper's departure to matter."""
    heat_costs: float = 0.5
    """kWh at most that plant draws to take away a kWh of heat: a coefficient of performance of 2."""
    patience: int = 3
    """Hours that an unspecific symptom waits for a more telling one."""
    close_window: int = 24
    """Judged hours over which a departure must be gone before it counts as ended."""
    close_share: float = 0.25
    """... to this share of what it was."""
    close_least: float = 0.7
    """... or to so many standard errors."""
    unseen: int = 7 * 24
    """Hours without a judged one after which nothing can be said to go on."""
    reopen_lost: int = 28 * 24
    """The same where it could not be seen meanwhile whether it went on."""
    contradicts: float = 1.0
    """Standard errors by which the second of two departures of one amount is off at least."""
    together: int = 2 * 24
    """Hours between two departures that may have one cause."""
    same_amount: float = 0.4
    """Share by which two departures may differ to be one amount seen from two sides."""
    reopen: int = 5 * 24
    """Hours within which the same cause is the same finding."""
    settle: int = 24
    """Hours after a finding's end that are not learnt from."""
    calibrate: int = 28 * 24
    """Hours before a finding by which its expectation is set to the plant as it was."""
    lull: int = 28 * 24
    """Hours from which less than usual is the new usual, and no holiday."""
    draw: int = 4 * 24
    """Hours of usual draw by which that is held to what was expected."""
    ratio_most: float = 0.1
    """Share by which it may differ."""
    marks: int = 4
    """Days, and learnings, that a walk can be taken back to when data change."""
