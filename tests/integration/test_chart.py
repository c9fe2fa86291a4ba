"""The Helm chart, rendered by the real Helm over every set of values in its folder ci/, held to Kubernetes' schemas."""

import copy
import functools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import otelcol_process
import psycopg
import pytest
import yaml  # type: ignore[import-untyped]

import collector.settings
import query_api.settings

CHART = otelcol_process.ROOT / "helm" / "agent-finops"
VALUES = sorted((CHART / "ci").glob("*.yaml"))
SECRET = "finops_0123456789012345678901234567890123456789abc"
KINDS = {
    "ConfigMap", "Deployment", "HTTPRoute", "HorizontalPodAutoscaler", "Ingress", "Job", "NetworkPolicy", "Pod",
    "PodDisruptionBudget", "PrometheusRule", "Service", "ServiceAccount", "ServiceMonitor",
}  # fmt: skip


def cache(name: str) -> Path:
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "agent-finops"
    if not (base / name).exists():
        pytest.skip(f"no {Path(name).name}: `make helm-tools` builds and fetches what the chart is checked with (Go)")
    return base / name


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)


@functools.cache
def render(values: Path) -> list[dict[str, Any]]:
    done = run(cache("bin/helm"), "template", "finops", CHART, "--namespace", "costs", "--values", values)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def containers(documents: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Every container with its pod's spec."""
    for document in documents:
        spec = document.get("spec", {}).get("template", document).get("spec", {})
        for container in (*spec.get("initContainers", ()), *spec.get("containers", ())):
            yield container, spec


def faults(directory: Path, documents: list[dict[str, Any]]) -> list[str]:
    """What kubeconform says of the documents, strictly: unknown fields and kinds are faults."""
    path = directory / "rendered.yaml"
    path.write_text(yaml.safe_dump_all(documents))
    schemas = f"{cache('schemas')}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"
    done = run(cache("bin/kubeconform"), "-strict", "-output", "json", "-summary", "-schema-location", schemas, path)
    report = json.loads(done.stdout)
    assert report["summary"]["valid"] + report["summary"]["invalid"] == len(documents)
    return [f"{fault['kind']} {fault['name']}: {fault['msg']}" for fault in report["resources"]]


def test_what_is_rendered_fits_the_schemas_of_kubernetes_and_of_the_custom_resources(tmp_path: Path) -> None:
    assert faults(tmp_path, [document for values in VALUES for document in render(values)]) == []


def test_the_examples_of_ledgers_fit_their_schemas_and_render(tmp_path: Path) -> None:
    if not (cache("schemas") / "cluster-postgresql-v1.json").exists():
        pytest.skip("the schemas are of an older `make helm-tools`: they lack CloudNativePG's")
    text = (CHART / "examples" / "cloudnative-pg.yaml").read_text()
    cluster = yaml.safe_load(text)
    assert faults(tmp_path, [cluster]) == []
    assert len(faults(tmp_path, [cluster | {"spec": {**cluster["spec"], "instance": 3}}])) == 1
    said = re.search(r"helm install finops helm/agent-finops (--set \S+)", text)
    assert said is not None
    done = run(cache("bin/helm"), "template", "finops", CHART, "--namespace", "costs", *said[1].split())
    documents = [document for document in yaml.safe_load_all(done.stdout) if document]
    external = render(CHART / "examples" / "external-timescaledb.yaml")
    assert faults(tmp_path, [*documents, *external]) == []
    secrets = {
        (variable["valueFrom"]["secretKeyRef"]["name"], variable["valueFrom"]["secretKeyRef"]["key"])
        for rendered in (documents, external)
        for container, _ in containers(rendered)
        for variable in container.get("env", ())
        if variable["name"] == "FINOPS_DATABASE_URL"
    }
    assert secrets == {(f"{cluster['metadata']['name']}-app", "uri"), ("ledger", "url")}


def test_a_misspelt_field_would_be_found_in_ours_and_in_custom_resources(tmp_path: Path) -> None:
    documents = copy.deepcopy(render(CHART / "ci" / "everything.yaml"))
    chosen = [document for document in documents if document["kind"] in {"Deployment", "HTTPRoute", "ServiceMonitor"}]
    for document in chosen:
        document["spec"]["replica"] = 1
    assert len(faults(tmp_path, chosen)) == len(chosen) == 5


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_helm_finds_nothing_to_complain_about(values: Path) -> None:
    done = run(cache("bin/helm"), "lint", "--strict", CHART, "--values", values)
    assert done.returncode == 0, done.stdout


def test_all_that_the_chart_can_make_is_made_by_one_of_the_sets() -> None:
    assert {document["kind"] for document in render(CHART / "ci" / "everything.yaml")} == KINDS


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_no_container_may_do_more_than_it_needs(values: Path) -> None:
    found = list(containers(render(values)))
    assert found
    for container, spec in found:
        rights = container["securityContext"]
        assert rights["readOnlyRootFilesystem"], container["name"]
        assert not rights["allowPrivilegeEscalation"]
        assert rights["capabilities"]["drop"] == ["ALL"]
        assert spec["securityContext"]["runAsNonRoot"]
        assert spec["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
        assert spec["automountServiceAccountToken"] is False
        assert container["resources"]["limits"]["memory"]


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_each_setting_is_one_of_the_service_and_is_told_once(values: Path) -> None:
    known = {
        "collector": {variable.name for variable in collector.settings.variables().values()},
        "api": {variable.name for variable in query_api.settings.VARIABLES.values()},
    }
    for container, _ in containers(render(values)):
        names = [variable["name"] for variable in container.get("env", ())]
        assert len(names) == len(set(names)), container["name"]
        if container["name"] in known:
            assert set(names) <= known[container["name"]]
            assert "FINOPS_DATABASE_URL" in names


def test_secrets_stay_secrets() -> None:
    for document in render(CHART / "ci" / "smallest.yaml"):
        assert document["kind"] == "Secret" or "secret@" not in json.dumps(document)


def test_a_collector_by_its_rendered_settings_would_start(tmp_path: Path) -> None:
    for values in VALUES:
        for container, _ in containers(render(values)):
            told = {v["name"]: v["value"] for v in container.get("env", ()) if "value" in v}
            told["FINOPS_DATABASE_URL"] = "postgresql://a:b@c:5432/d"
            for name in ("FINOPS_TLS_CERTIFICATE", "FINOPS_TLS_KEY", "FINOPS_TLS_CLIENT_CA"):
                if name in told:
                    told[name] = __file__
            if container["name"] == "collector":
                collector.settings.read_settings(told)
            if container["name"] == "api":
                query_api.settings.read_settings(told)


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ([], "name the ledger"),
        (["database.url=mysql://db"], "database"),
        (["database.existingSecret=a", "collector.replicas=3"], "replicas"),
        (["database.existingSecret=a", "collector.env.PATH=/x"], "PATH"),
        (["database.existingSecret=a", "database.url=postgresql://b"], "alternatives"),
        (["database.existingSecret=a", "migration.mode=initContainer"], "auth.existingSecret is needed"),
        (["database.existingSecret=a", "api.httpRoute.enabled=true"], "name the Gateway"),
    ],
)
def test_values_that_cannot_be_right_are_refused_with_the_reason(said: list[str], answer: str) -> None:
    settings = [word for value in said for word in ("--set", value)]
    done = run(cache("bin/helm"), "template", "finops", CHART, *settings)
    assert done.returncode != 0
    assert answer in done.stderr


def test_the_rules_are_good_rules_over_metrics_that_are_there(tmp_path: Path) -> None:
    documents = render(CHART / "ci" / "everything.yaml")
    rules = next(document for document in documents if document["kind"] == "PrometheusRule")["spec"]
    page = (otelcol_process.ROOT / "docs" / "metrics.md").read_text()
    for rule in (rule for group in rules["groups"] for rule in group["rules"]):
        for name in re.findall(r"\bfinops_[a-z_]+", rule["expr"]):
            assert f"`{name}`" in page, name
    if shutil.which("promtool") is None:
        pytest.skip("no promtool (Debian's package prometheus) to check the rules with")
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump(rules))
    done = run("promtool", "check", "rules", "--lint-fatal", path)
    assert done.returncode == 0, done.stderr


def token(database_url: str, secret: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "standalone", "token", "create", *words, "--secret-file", str(secret)]
    environment = otelcol_process.environment({"FINOPS_ALLOW_SUPERUSER": "1", "FINOPS_DATABASE_URL": database_url})
    return subprocess.run(
        command, env=environment, cwd=otelcol_process.ROOT, capture_output=True, text=True, check=False
    )


def test_a_mounted_secret_becomes_a_valid_token_and_may_be_made_so_again(database_url: str, tmp_path: Path) -> None:
    secret = tmp_path / "ingest-token"
    secret.write_text(f"{SECRET}\n")
    for _ in range(2):
        done = token(database_url, secret, "kubernetes-ingest")
        assert (done.returncode, done.stdout) == (0, "")
        assert SECRET not in done.stderr
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("select name, scopes from tokens where revoked_at is null").fetchall()
    assert rows == [("kubernetes-ingest", ["ingest"])]
    secret.write_text("short")
    assert token(database_url, secret, "kubernetes-ingest").returncode == 1


def test_the_test_of_the_chart_sends_a_span_and_reads_its_cost(
    database_url: str, tmp_path: Path, start_service: Callable[..., str]
) -> None:
    secret = tmp_path / "token"
    secret.write_text(SECRET)
    assert token(database_url, secret, "kubernetes-admin", "--scope", "admin").returncode == 0
    collector_at = start_service("collector", database_url)
    api_at = start_service("query_api", database_url)
    told = {"COLLECTOR": f"http://{collector_at}", "API": api_at, "INGEST_TOKEN": SECRET, "ADMIN_TOKEN": SECRET}
    command = [sys.executable, str(CHART / "files" / "one_span.py")]
    done = subprocess.run(command, env=told, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "1000 tokens in and 100 out cost 0.0035 USD\n"), done.stderr


@pytest.fixture
def start_service() -> Iterator[Callable[..., str]]:
    """Starts a service on free ports; gives the OTLP/HTTP address of the one, the API's of the other."""
    started: list[subprocess.Popen[str]] = []

    def start(module: str, database_url: str) -> str:
        doors = ("FINOPS_OTLP_GRPC", "FINOPS_OTLP_HTTP", "FINOPS_METRICS", "FINOPS_API")
        told = {
            **dict.fromkeys(doors, "127.0.0.1:0"),
            "FINOPS_ALLOW_SUPERUSER": "1",
            "FINOPS_DATABASE_URL": database_url,
            "FINOPS_ALLOW_FSYNC_OFF": "1",
        }
        if module == "query_api":
            told |= {"FINOPS_OTLP_GRPC": "127.0.0.1:4317", "FINOPS_COLLECTOR_URL": "off"}
        process = subprocess.Popen(
            [sys.executable, "-m", module], cwd=otelcol_process.ROOT, env=otelcol_process.environment(told), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        started.append(process)
        assert process.stdout is not None
        words = process.stdout.readline().split()
        assert words[:2] == ["ready", module]
        return words[2] if module == "query_api" else dict(word.split("=", 1) for word in words[2:])["http"]

    yield start
    for process in started:
        process.kill()
        process.communicate(timeout=30)
