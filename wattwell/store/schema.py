"""Tables of the embedded store. Times are microseconds since the epoch, UTC, as BIGINT; the views show timestamps."""

from __future__ import annotations

VERSION = 3

TABLES = f"""
CREATE TABLE meta AS SELECT {VERSION}::INTEGER AS version;
CREATE TABLE series (id INTEGER, site VARCHAR, meter VARCHAR);
CREATE TABLE readings ( -- value NULL: rejected for its value, the time counts
    series INTEGER, t BIGINT, received BIGINT, value DOUBLE, arrival BOOLEAN, token BIGINT, -- number of its commit
    revision INTEGER, -- how many accepted values were stored here before this one
    apart BOOLEAN -- another reading of its meter stood in the same millisecond when it came
);
CREATE TABLE rejects (
    site VARCHAR, meter VARCHAR, topic VARCHAR, t BIGINT, received BIGINT, reason VARCHAR, value VARCHAR, count BIGINT
);
CREATE TABLE reject_counts (site VARCHAR, meter VARCHAR, topic VARCHAR, reason VARCHAR, count BIGINT);
CREATE TABLE analysed (token BIGINT); -- readings of later commits are dirty, and so are these spans:
CREATE TABLE dirty (token BIGINT, series INTEGER, low BIGINT, high BIGINT);
CREATE TABLE checkpoints (
    series INTEGER, edge BIGINT, last_at BIGINT, last_value DOUBLE, held_at BIGINT, held_value DOUBLE,
    back_at BIGINT, back_value DOUBLE, swap DOUBLE
);
CREATE TABLE intervals (series INTEGER, t BIGINT, value DOUBLE, measured DOUBLE, recovered BOOLEAN);
CREATE TABLE events (
    series INTEGER, t BIGINT, event VARCHAR, before DOUBLE, after DOUBLE, booked DOUBLE, unit VARCHAR, state VARCHAR
);
CREATE TABLE corrections (
    series INTEGER, t BIGINT, event VARCHAR, final DOUBLE, first DOUBLE, author VARCHAR, reason VARCHAR
);
CREATE TABLE audit (seq BIGINT, t BIGINT, kind VARCHAR, document VARCHAR, hash VARCHAR); -- see wattwell.ledger
CREATE TABLE day_sums (site VARCHAR, t BIGINT, digest VARCHAR, sums BLOB); -- what KPIs add up, by UTC day
CREATE TABLE documents (name VARCHAR, text VARCHAR);
CREATE TABLE pruned (before BIGINT);
CREATE VIEW readings_shown AS
    SELECT site, meter, make_timestamp(t) AS utc, value, make_timestamp(received) AS received_utc, arrival
    FROM readings JOIN series ON series = id;
CREATE VIEW intervals_shown AS
    SELECT site, meter, make_timestamp(t) AS start_utc, value, measured, recovered
    FROM intervals JOIN series ON series = id;
CREATE VIEW audit_shown AS SELECT seq, make_timestamp(t) AS utc, kind, document, hash FROM audit ORDER BY seq;
"""  # noqa: S608 - our own number

FROM_LAYOUT_1 = """
ALTER TABLE readings ADD COLUMN IF NOT EXISTS revision INTEGER DEFAULT 0;
ALTER TABLE readings ADD COLUMN IF NOT EXISTS apart BOOLEAN DEFAULT false;
CREATE TABLE IF NOT EXISTS audit (seq BIGINT, t BIGINT, kind VARCHAR, document VARCHAR, hash VARCHAR);
CREATE OR REPLACE VIEW audit_shown AS
    SELECT seq, make_timestamp(t) AS utc, kind, document, hash FROM audit ORDER BY seq;
"""
"""What layout 1 lacks; it may be run again. The version is raised once the ledger holds what the tables do."""

FROM_LAYOUT_2 = """
CREATE TABLE IF NOT EXISTS day_sums (site VARCHAR, t BIGINT, digest VARCHAR, sums BLOB);
"""
"""What layout 2 lacks. A program of that layout must not write here any more: it would not drop what it outdates."""
