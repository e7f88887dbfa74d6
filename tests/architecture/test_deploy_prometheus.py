"""What deploy/ ships for Prometheus and Alertmanager is accepted by their own tools and made from the code."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from alerts.defaults import default_rules
from scripts.generated import generated
from tests.commands import wattwell
from tests.ruling import promtool
from tests.servers import program
from wattwell.config import load
from wattwell.model import AlertRule

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
PROMETHEUS = DEPLOY / "prometheus"


@pytest.mark.parametrize("path", generated())
def test_what_is_made_from_the_code_is_up_to_date(path: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == generated()[path], "run python -m scripts.generated"


def by_name(rule: AlertRule) -> str:
    return rule.name


def test_the_command_makes_the_shipped_rule_file(tmp_path: Path) -> None:
    """From the example without its list of alerts, which says the same, but for where the rules are said to be from."""
    text = (DEPLOY / "wattwell.example.yaml").read_text(encoding="utf-8")
    (tmp_path / "mqtt.password").write_text("secret\n", encoding="utf-8")
    (tmp_path / "full.yaml").write_text(text, encoding="utf-8")
    head, listed = text.index("\nalerts:"), text.index("\nnotify:")
    (tmp_path / "less.yaml").write_text(text[:head] + text[listed:], encoding="utf-8")
    full = load(tmp_path / "full.yaml")
    assert sorted(full.rules, key=by_name) == sorted(default_rules(full.sites), key=by_name)
    done = wattwell("rules", "less.yaml", folder=tmp_path)
    assert (done.code, done.err) == (0, "")
    shipped = (PROMETHEUS / "wattwell.rules.yml").read_text(encoding="utf-8")
    assert done.out.splitlines()[1:] == shipped.splitlines()[1:]
    assert "less.yaml" in done.out.splitlines()[0]


@pytest.mark.parametrize("name", ["wattwell.rules.yml", "demo.rules.yml"])
def test_promtool_accepts_the_rules(name: str) -> None:
    assert promtool("check", "rules", "--lint=all", "--lint-fatal", PROMETHEUS / name) == ""


def test_the_rules_do_what_their_tests_say() -> None:
    """promtool's own unit tests, which name every shipped alert."""
    tests = PROMETHEUS / "tests" / "wattwell.test.yml"
    assert promtool("test", "rules", tests) == ""
    document = yaml.safe_load((PROMETHEUS / "wattwell.rules.yml").read_text(encoding="utf-8"))
    alerts = [rule["alert"] for rule in document["groups"][0]["rules"] if "alert" in rule]
    assert len(alerts) >= 10
    text = tests.read_text(encoding="utf-8")
    untested = [name for name in alerts if not re.search(rf"\b{name}\b", text)]
    assert untested == []


@pytest.mark.parametrize("name", ["prometheus.yml", "demo.yml"])
def test_promtool_accepts_the_configuration(name: str, tmp_path: Path) -> None:
    shutil.copytree(PROMETHEUS, tmp_path / "prometheus")
    path, token = tmp_path / "prometheus" / name, tmp_path / "wattwell.token"
    token.write_text("secret\n", encoding="utf-8")
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("/etc/prometheus/wattwell.token", str(token)), encoding="utf-8")
    assert promtool("check", "config", path) == ""


def amtool(*arguments: str | Path) -> str:
    done = subprocess.run([program("amtool"), *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_amtool_accepts_the_configuration_and_finds_the_receivers() -> None:
    path = DEPLOY / "alertmanager" / "alertmanager.yml"
    amtool("check-config", path)
    for severity, receiver in {"warning": "operators", "critical": "on-call", "info": "nobody"}.items():
        found = amtool("config", "routes", "test", f"--config.file={path}", "site=north", f"severity={severity}")
        assert found.strip() == receiver
