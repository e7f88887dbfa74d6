"""Wattwell: data centre energy and water efficiency monitor. Holds the version and imports nothing."""

__version__ = "0.5.0"
