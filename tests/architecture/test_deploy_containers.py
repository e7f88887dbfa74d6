"""What deploy/ ships for containers keeps to the schemas, names what is there, and shuts the programs in."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from tests.unit.test_web_fake import FakeQueries
from wattwell.config import load
from wattwell.web.api import create_app
from wattwell.web.server import Server

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = DEPLOY / "compose"
KUBERNETES = DEPLOY / "kubernetes"
SCHEMA = ROOT / "tests" / "golden" / "compose-spec.json"
"""The schema of the Compose specification (Apache License 2.0), as its makers publish it."""
KUBERNETES_VERSIONS = ("1.28", "1.32")
CURRENT = yaml.safe_load((COMPOSE / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = CURRENT["services"]


def test_compose_keeps_to_the_schema() -> None:
    schema = jsonschema.Draft201909Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    schema.validate(CURRENT)
    with pytest.raises(jsonschema.ValidationError):
        schema.validate({**CURRENT, "services": {"one": {"imagee": "x"}}})


def test_docker_compose_accepts_it(tmp_path: Path) -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("docker compose is not installed")
    done = subprocess.run(
        [docker, "compose", "-f", COMPOSE / "compose.yaml", "config", "--quiet"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_every_service_is_shut_in_watched_and_bounded() -> None:
    assert set(SERVICES) == {"mosquitto", "wattwell", "victoria-metrics", "prometheus", "alertmanager", "grafana"}
    image = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    for name, service in SERVICES.items():
        assert service["read_only"] is True, name
        assert (service["cap_drop"], service["security_opt"]) == (["ALL"], ["no-new-privileges:true"]), name
        assert (service["pids_limit"], service["ulimits"]) == (512, {"core": 0}), name
        assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}, name
        assert "healthcheck" in service or (name == "wattwell" and "\nHEALTHCHECK " in image), name
        assert service["volumes"], name
        assert re.search(r":[\w.]+$", service["image"]), f"{name} has a version"
        assert not service["image"].endswith(":latest"), name


def test_only_loopback_ports_are_published() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert len(published) >= 5
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


def test_what_compose_mounts_is_there() -> None:
    readme = (DEPLOY / "README.md").read_text(encoding="utf-8")
    for each in CURRENT["configs"].values():
        assert (COMPOSE / each["file"]).is_file(), each
    for each in CURRENT["secrets"].values():
        assert not (COMPOSE / each["file"]).exists(), "secrets are never shipped"
        assert Path(each["file"]).name in readme, "the instructions say how to make it"
    bound = [part.partition(":")[0] for service in SERVICES.values() for part in service["volumes"]]
    folders = [name for name in bound if name.startswith(".")]
    assert len(folders) >= 3
    assert [name for name in folders if not (COMPOSE / name).exists()] == []
    assert {name for name in bound if not name.startswith(".")} == set(CURRENT["volumes"])


def test_the_containers_broker_is_the_shipped_one() -> None:
    def settings(path: Path) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for line in path.read_text(encoding="utf-8").splitlines():
            if line and not line.startswith("#"):
                key, _, value = line.partition(" ")
                found.setdefault(key, []).append(value)
        return found

    shipped, here = settings(DEPLOY / "mosquitto" / "mosquitto.conf"), settings(COMPOSE / "mosquitto.conf")
    differs = {key for key in shipped.keys() | here.keys() if shipped.get(key) != here.get(key)}
    assert differs == {"listener", "password_file", "acl_file", "persistence_location", "log_dest"}
    assert here["allow_anonymous"] == ["false"]


def test_the_containers_prometheus_is_the_shipped_one() -> None:
    texts = [(path / "prometheus.yml").read_text(encoding="utf-8") for path in (DEPLOY / "prometheus", COMPOSE)]
    shipped, here = map(yaml.safe_load, texts)
    shipped["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = ["alertmanager:9093"]
    shipped["scrape_configs"][0]["static_configs"][0]["targets"] = ["wattwell:8080"]
    shipped["scrape_configs"][0]["authorization"]["credentials_file"] = "/run/secrets/prometheus.token"
    assert here == shipped
    assert SERVICES["prometheus"]["secrets"] == ["prometheus.token"]
    assert "prometheus.token" not in SERVICES["wattwell"]["secrets"]


@pytest.mark.parametrize("folder", [COMPOSE, KUBERNETES])
def test_the_configuration_loads(folder: Path, tmp_path: Path) -> None:
    text = (folder / "wattwell.yaml").read_text(encoding="utf-8")
    for secret in ("mqtt.password", "http.token"):
        (tmp_path / secret).write_text("a-secret-of-sixteen\n", encoding="utf-8")
        text = re.sub(rf"\S+/{secret}", secret, text)
    (tmp_path / "wattwell.yaml").write_text(text, encoding="utf-8")
    config = load(tmp_path / "wattwell.yaml")
    assert str(config.store.path).startswith("/var/lib/wattwell/"), "on the volume"
    assert len(config.sites["north"].meters) == 2


def manifests() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(KUBERNETES.glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            if document.get("kind") not in (None, "Kustomization"):
                yield path.name, document


@pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
def test_kubernetes_keeps_to_the_schema(version: str) -> None:
    found = dict(manifests())
    assert {each["kind"] for each in found.values()} == {"StatefulSet", "Service", "NetworkPolicy", "Secret"}
    for document in found.values():
        kubernetes_validate.validate(document, version, strict=True)
        assert "namespace" not in document["metadata"]
    wrong = {**found["service.yaml"], "spec": {"portz": []}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, version, strict=True)


def test_kubernetes_parts_fit_together() -> None:
    found = dict(manifests())
    pod = found["statefulset.yaml"]["spec"]["template"]
    labels = pod["metadata"]["labels"]
    assert found["statefulset.yaml"]["spec"]["selector"]["matchLabels"] == labels
    assert found["service.yaml"]["spec"]["selector"] == labels
    assert found["networkpolicy.yaml"]["spec"]["podSelector"]["matchLabels"] == labels
    (container,) = pod["spec"]["containers"]
    assert {"startupProbe", "livenessProbe", "readinessProbe", "resources"} <= container.keys()
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
    assert f"--uid {pod['spec']['securityContext']['runAsUser']} " in (DEPLOY / "Dockerfile").read_text(
        encoding="utf-8"
    )
    volumes = {each["name"] for each in pod["spec"]["volumes"]} | {"store"}
    assert {each["name"] for each in container["volumeMounts"]} == volumes
    assert set(found["secret.example.yaml"]["stringData"]) == {"mqtt.password", "http.token"}
    compile(container["readinessProbe"]["exec"]["command"][2], "readinessProbe", "exec")


@pytest.mark.parametrize(
    ("tokens", "fits"),
    [
        ("one-alone-of-sixteen\n", True),
        ("one-of-sixteen-bytes\n\nmarch: two-of-sixteen-bytes\n# the first one goes on Friday\n", True),
        ("t\u00f6ken-of-sixteen-bytes\n", True),
        ("one-of-sixteen-bytes two-of-sixteen-bytes\n", False),
    ],
)
def test_the_readiness_probe_has_the_service_s_own_token(tmp_path: Path, tokens: str, fits: bool) -> None:
    (container,) = dict(manifests())["statefulset.yaml"]["spec"]["template"]["spec"]["containers"]
    code = container["readinessProbe"]["exec"]["command"][2]
    (tmp_path / "http.token").write_text(tokens, encoding="utf-8")
    served = tokens if fits else "one-of-sixteen-bytes\n"
    server = Server(create_app(FakeQueries(), token=served, ready=lambda: (True, "")))
    server.start()
    try:
        code = code.replace("/run/secrets/wattwell", str(tmp_path)).replace("http://127.0.0.1:8080", server.url)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    finally:
        server.stop()
    assert (done.returncode == 0) == fits, done.stderr


def test_kustomize_builds_it() -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed")
    done = subprocess.run([kubectl, "kustomize", KUBERNETES], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    built = {each["kind"]: each for each in yaml.safe_load_all(done.stdout)}
    assert built.keys() == {"ConfigMap", "StatefulSet", "Service", "NetworkPolicy"}
    named = built["ConfigMap"]["metadata"]["name"]
    volumes = built["StatefulSet"]["spec"]["template"]["spec"]["volumes"]
    assert {"name": named} in [each.get("configMap") for each in volumes]
    allowed = built["NetworkPolicy"]["spec"]["ingress"][0]["from"][0]["podSelector"]["matchLabels"]
    assert allowed == {"wattwell.access": "true"}
    for each in built.values():
        kubernetes_validate.validate(each, KUBERNETES_VERSIONS[-1], strict=True)
