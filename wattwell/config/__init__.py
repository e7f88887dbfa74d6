"""YAML becomes a frozen, checked :class:`Config`; every fault is reported at once, with its place and remedy.

The way of a document: :mod:`document` (YAML) > :mod:`schema` and :mod:`reading` (keys and kinds of values, part by
part) > :mod:`meters`, :mod:`structure`, :mod:`sites`, :mod:`topics`, :mod:`connect`, :mod:`rules` (what must hold) >
:mod:`build` (the result, :mod:`settings`). Checks go on behind faults, so that one run lists them all.
"""

from __future__ import annotations

from wattwell.config.build import load, parse
from wattwell.config.settings import Config, HttpSettings, MqttSettings, Notifier, StoreSettings, Tls

__all__ = ["Config", "HttpSettings", "MqttSettings", "Notifier", "StoreSettings", "Tls", "load", "parse"]
