"""``wattwell rules``: the alert rules as a Prometheus rule file."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from typing import Any

import yaml

from alerts.prometheus import rules_document
from wattwell.app.access import rules_of
from wattwell.config import load

_HEAD = """\
# Wattwell's alert rules for Prometheus 2.31 or later, made from {source}: change them there.
# deploy/README.md says what differs from Wattwell's own alerts.
"""


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as they are."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def rules(args: Namespace) -> int:
    """``wattwell rules CONFIG``: prints the rule file."""
    config = load(args.config)
    print(rule_file(rules_document(rules_of(config), config.full), args.config), end="")
    return 0


def rule_file(document: Mapping[str, Any], source: str) -> str:
    """The YAML text of a rule file; ``source`` says where its rules come from."""
    body = yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=10_000, allow_unicode=True)
    return _HEAD.format(source=source) + str(body)
