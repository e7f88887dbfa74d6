"""The shards that deploy/ ships: an instance of the system service for each, and a pod for each."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from tests.architecture.test_deploy import DEPLOY, analyze
from wattwell.cli.arguments import parser
from wattwell.config import load
from wattwell.config.sharding import index_of, shard_of

FLEET = DEPLOY / "kubernetes-fleet"
DROP_IN = DEPLOY / "systemd" / "wattwell@.service.d" / "shard.conf"


def test_an_instance_of_the_service_is_a_shard(tmp_path: Path) -> None:
    stand_in = tmp_path / "wattwell"
    stand_in.write_text("#!/bin/sh\n", encoding="utf-8")
    stand_in.chmod(0o755)
    (tmp_path / "wattwell@.service.d").mkdir()
    for shipped, here in (
        (DEPLOY / "systemd" / "wattwell.service", tmp_path / "wattwell@.service"),
        (DROP_IN, tmp_path / "wattwell@.service.d" / "shard.conf"),
    ):
        text = shipped.read_text(encoding="utf-8")
        here.write_text(text.replace("/opt/wattwell/bin/wattwell ", f"{stand_in} "), encoding="utf-8")
    done = analyze("verify", "--man=no", tmp_path / "wattwell@.service")
    assert (done.returncode, [line for line in done.stderr.splitlines() if "wattwell" in line]) == (0, [])


def test_the_instance_names_its_shard() -> None:
    started = re.findall(r"^ExecStart=(?:\S+/wattwell (.+))?$", DROP_IN.read_text(encoding="utf-8"), re.MULTILINE)
    assert started[0] == "", "what the unit starts is taken back first"
    assert parser().parse_args(started[1].replace("%i", "3").split()).shard == "3"


def test_a_pod_is_a_shard(tmp_path: Path) -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed")
    done = subprocess.run([kubectl, "kustomize", FLEET], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    built = {each["kind"]: each for each in yaml.safe_load_all(done.stdout)}
    for each in built.values():
        kubernetes_validate.validate(each, "1.32", strict=True)
    (container,) = built["StatefulSet"]["spec"]["template"]["spec"]["containers"]
    (shard,) = container["env"]
    assert "apps.kubernetes.io/pod-index" in shard["valueFrom"]["fieldRef"]["fieldPath"]
    assert "shards:" in built["ConfigMap"]["data"]["wattwell.yaml"]
    assert built["Service"]["spec"]["clusterIP"] == "None"
    text = (FLEET / "wattwell.yaml").read_text(encoding="utf-8").replace("/run/secrets/wattwell/", "")
    (tmp_path / "wattwell.yaml").write_text(text, encoding="utf-8")
    for secret in ("mqtt.password", "http.token"):
        (tmp_path / secret).write_text("secret", encoding="utf-8")
    config = load(tmp_path / "wattwell.yaml")
    assert config.shards is not None
    assert built["StatefulSet"]["spec"]["replicas"] == config.shards.count
    for pod in range(config.shards.count):
        args = parser().parse_args([each.replace("$(SHARD)", str(pod)) for each in container["args"]])
        part = shard_of(config, index_of(args.shard, config.shards))
        assert part.sites, "every pod has something to do"
        assert (part.http.port, str(part.store.path)[:18]) == (8080, "/var/lib/wattwell/")
