"""Tables of the embedded store. Times are microseconds since the epoch, UTC, as BIGINT; the views show timestamps."""

from __future__ import annotations

VERSION = 1

TABLES = """
CREATE SEQUENCE IF NOT EXISTS dirty_token;
CREATE TABLE IF NOT EXISTS meta (version INTEGER);
CREATE TABLE IF NOT EXISTS series (id INTEGER, site VARCHAR, meter VARCHAR);
CREATE TABLE IF NOT EXISTS readings ( -- value NULL: rejected for its value, the time counts
    series INTEGER, t BIGINT, received BIGINT, value DOUBLE, arrival BOOLEAN);
CREATE TABLE IF NOT EXISTS rejects (
    site VARCHAR, meter VARCHAR, topic VARCHAR, t BIGINT, received BIGINT, reason VARCHAR, value VARCHAR, count BIGINT
);
CREATE TABLE IF NOT EXISTS reject_counts (site VARCHAR, meter VARCHAR, topic VARCHAR, reason VARCHAR, count BIGINT);
CREATE TABLE IF NOT EXISTS dirty (token BIGINT, series INTEGER, low BIGINT, high BIGINT);
CREATE TABLE IF NOT EXISTS checkpoints (
    series INTEGER, edge BIGINT, last_at BIGINT, last_value DOUBLE, held_at BIGINT, held_value DOUBLE,
    back_at BIGINT, back_value DOUBLE, swap DOUBLE
);
CREATE TABLE IF NOT EXISTS intervals (series INTEGER, t BIGINT, value DOUBLE, measured DOUBLE, recovered BOOLEAN);
CREATE TABLE IF NOT EXISTS events (
    series INTEGER, t BIGINT, event VARCHAR, before DOUBLE, after DOUBLE, booked DOUBLE, unit VARCHAR, state VARCHAR
);
CREATE TABLE IF NOT EXISTS corrections (
    series INTEGER, t BIGINT, event VARCHAR, final DOUBLE, first DOUBLE, author VARCHAR, reason VARCHAR
);
CREATE TABLE IF NOT EXISTS documents (name VARCHAR, text VARCHAR);
CREATE TABLE IF NOT EXISTS pruned (before BIGINT);
CREATE OR REPLACE VIEW readings_shown AS
    SELECT site, meter, make_timestamp(t) AS utc, value, make_timestamp(received) AS received_utc, arrival
    FROM readings JOIN series ON series = id;
CREATE OR REPLACE VIEW intervals_shown AS
    SELECT site, meter, make_timestamp(t) AS start_utc, value, measured, recovered
    FROM intervals JOIN series ON series = id;
"""
