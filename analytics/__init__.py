"""Readings become interval values and KPI values. Pure: no socket, clock, file or log."""
