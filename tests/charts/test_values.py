"""Values, their schema, the services' settings and the READMEs say the same, and what they do not know is refused."""

from __future__ import annotations

import importlib
import inspect
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import values_table
import yaml
from common.keys import KeyRing
from common.settings import Settings
from jsonschema import Draft202012Validator
from matrix import SERVICES, muster
from pydantic import AliasChoices, SecretStr
from pydantic.fields import FieldInfo
from rendering import CHARTS, RefusedError, component, environment, of_kind, render

# One Python is enough for what Helm renders; the first test on a machine fetches Helm.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

BOTH = ["muster", "muster-devinfra"]
SHARED = {"log_level": "logLevel", "telegram_api_url": "telegramApiUrl"}


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        (
            {"components": {"tgms": {"replicas": 2}}},
            "at '/components/tgms': additional properties 'replicas' not allowed",
        ),
        ({"components": {"tgms": {"autoscaling": {}}}}, "additional properties 'autoscaling' not allowed"),
        ({"components": {"sendr": {}}}, "at '/components': additional properties 'sendr' not allowed"),
        (
            {"components": {"dm": {"settings": {"prefech": 1}}}},
            "at '/components/dm/settings': additional properties 'prefech' not allowed",
        ),
        ({"secret": {}}, "additional properties 'secret' not allowed"),
        ({"secrets": {"existingSecret": ""}}, "at '/secrets/existingSecret': minLength: got 0, want 1"),
        ({"secrets": {"databaseUrl": "postgres://"}}, "at '/secrets/databaseUrl': got string, want object"),
        ({"keda": {"protocol": "auto"}}, "at '/keda/protocol': value must be one of 'amqp', 'http'"),
        ({"components": {"sender": {"settings": {"concurrency": 0}}}}, "minimum: got 0, want 1"),
        ({"components": {"ingress": {"settings": {"port": 80}}}}, "at '/components/ingress/settings/port': minimum"),
        ({"components": {"dm": {"image": {"tag": "latest"}}}}, "at '/components/dm/image/tag'"),
        ({"components": {"dm": {"settings": {"grace": 24}}}}, "components.dm.settings.grace must be 5 s more than"),
        ({"components": {"ingress": {"ingress": {"enabled": True}}}}, "components.ingress.ingress.hosts is empty"),
        ({"keda": {"protocol": "http"}}, "keda.secret: the management API has another URL"),
        *(
            (
                {"components": {name: {"autoscaling": {"minReplicas": 30}}}},
                f"components.{name}.autoscaling.minReplicas (30) is more than maxReplicas ({most})",
            )
            for name, most in (("ingress", 10), ("sender", 20), ("dm", 10))
        ),
        (
            {"components": {"ingress": {"settings": {"metricsPort": 8080}}}},
            "components.ingress.settings.port and metricsPort are both 8080",
        ),
        *(
            ({"secrets": {name: {"key": key}}}, f"at '/secrets/{name}")
            for name in ("databaseUrl", "amqpUrl", "webhookKeys", "encryptionKeys")
            for key in ("", None)
        ),
        ({"components": {"dm": {"image": {"repository": "muster:5000"}}}}, "at '/components/dm/image/repository'"),
        ({"components": {"dm": {"image": {"repository": "h:x/muster"}}}}, "at '/components/dm/image/repository'"),
        ({"monitoring": {"rules": {"runbooks": "docs"}}}, "at '/monitoring/rules/runbooks'"),
    ],
)
def test_what_can_not_be_is_refused_with_its_place(values: dict[str, Any], complaint: str) -> None:
    with pytest.raises(RefusedError, match=re.escape(complaint)):
        render("muster", values=values)


def test_a_grace_that_only_just_suffices_is_taken() -> None:
    assert render("muster", values={"components": {"dm": {"settings": {"grace": 25}}}})


def test_limits_that_only_just_fit_are_taken() -> None:
    same = {name: {"autoscaling": {"minReplicas": 4, "maxReplicas": 4}} for name in ("ingress", "sender", "dm")}
    assert render("muster", values={"components": same})
    fixed = {"autoscaling": {"enabled": False, "minReplicas": 30}}
    assert render("muster", values={"components": {"ingress": fixed, "sender": fixed, "dm": fixed}})
    off = {"enabled": False, "settings": {"metricsPort": 8080}}
    assert render("muster", values={"components": {"ingress": off}})


@pytest.mark.parametrize(
    "repository", ["muster-dm", "localhost:5000/muster/x", "registry.example.com/team/muster-dm", "10.0.0.1:80/x"]
)
def test_a_registry_may_have_a_port(repository: str) -> None:
    objects = render("muster", values={"components": {"dm": {"image": {"repository": repository, "tag": "1"}}}})
    assert component(objects, "dm")["spec"]["template"]["spec"]["containers"][0]["image"] == f"{repository}:1"


@pytest.mark.parametrize("prefix", ["", "https://git.example.com/muster/"])
def test_the_runbooks_are_where_people_find_them(prefix: str) -> None:
    rules = {"enabled": True, **({"runbooks": prefix} if prefix else {})}
    objects = of_kind(render("muster", values={"monitoring": {"rules": rules}}), "PrometheusRule").values()
    found = [r for each in objects for group in each["spec"]["groups"] for r in group["rules"]]
    assert len(found) > 20
    assert [r for r in found if r["annotations"]["runbook_url"] != f"{prefix}docs/runbooks/{r['alert']}.md"] == []


def test_the_database_takes_every_connection_of_a_release_at_its_largest() -> None:
    wanted = {name: connections(name) for name in ("default", "prod")}
    readme = (CHARTS / "muster" / "README.md").read_text("utf-8").partition(values_table.BEGIN)[0]
    assert f"{wanted['default']} connections" in readme
    text = (CHARTS.parent / "k8s" / "prod" / "postgres.yaml").read_text("utf-8")
    cluster, pooler = yaml.safe_load_all(text)
    pool = {name: int(value) for name, value in pooler["spec"]["pgbouncer"]["parameters"].items()}
    held = pooler["spec"]["instances"] * pool["default_pool_size"]
    # Of the pooler, one instance must take all while the other is away; some are left for migrations and operators.
    assert pool["max_client_conn"] > wanted["prod"]
    assert held + 20 < int(cluster["spec"]["postgresql"]["parameters"]["max_connections"])
    head = text.partition("apiVersion")[0]
    assert re.search(rf"\bDATABASE_URL wants [^;]*{pooler['metadata']['name']}", head.replace("\n# ", " "))
    assert "DATABASE_URL_UNPOOLED" in head


def connections(name: str) -> int:
    """Of all pods, when every autoscaler is at its maximum."""
    objects = muster(name)
    most = {"muster-tgms": 1}
    for kind, field in (("ScaledObject", "maxReplicaCount"), ("HorizontalPodAutoscaler", "maxReplicas")):
        most |= {
            each["spec"]["scaleTargetRef"]["name"]: each["spec"][field] for each in of_kind(objects, kind).values()
        }
    return sum(
        most[f"muster-{service}"] * int(environment(component(objects, service))["MUSTER_DATABASE_POOL_MAX"])
        for service in SERVICES
    )


@pytest.mark.parametrize("chart", BOTH)
def test_the_schema_is_one_and_explains_everything(chart: str) -> None:
    schema = json.loads((CHARTS / chart / "values.schema.json").read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    assert [path for path, shape, _ in values_table.leaves(chart) if not shape.get("description")] == []
    assert open_objects(schema) == []


@pytest.mark.parametrize("chart", BOTH)
def test_every_value_has_a_default_and_every_default_a_schema(chart: str) -> None:
    values = yaml.safe_load((CHARTS / chart / "values.yaml").read_text("utf-8"))
    Draft202012Validator(json.loads((CHARTS / chart / "values.schema.json").read_text("utf-8"))).validate(values)
    without = {path for path, shape, default in values_table.leaves(chart) if default is None}
    # A component's own, where there is one for all.
    without = {path for path in without if not re.search(r"settings\.(logLevel|telegramApiUrl)$|nodePort$", path)}
    assert without == set()


@pytest.mark.parametrize("chart", BOTH)
def test_the_readme_has_the_values(chart: str) -> None:
    assert (CHARTS / chart / "README.md").read_text("utf-8") == values_table.page(chart), values_table.BEGIN


@pytest.mark.parametrize("service", SERVICES)
def test_every_setting_can_be_reached(service: str) -> None:
    schema = json.loads((CHARTS / "muster" / "values.schema.json").read_text("utf-8"))
    keys = schema["properties"]["components"]["properties"][service]["properties"]["settings"]["properties"]
    assert set(keys) == {camel(name) for _, name, field in settings(service) if not secret(field)}


@pytest.mark.parametrize("service", SERVICES)
def test_the_charts_defaults_are_the_services(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = load(service, environment(component(muster("default"), service)), monkeypatch)
    defaults = {name: field.default for _, name, field in settings(service) if not secret(field)}
    assert loaded.keys() == defaults.keys()
    # Where a service has none, a cluster may have one of its own.
    assert {name: loaded[name] for name in defaults if defaults[name] is not None} == {
        name: default for name, default in defaults.items() if default is not None
    }


@pytest.mark.parametrize("service", SERVICES)
def test_every_setting_arrives(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = {name: another(name, field.default) for _, name, field in settings(service) if not secret(field)}
    values = {"components": {service: {"settings": {camel(name): value for name, value in wanted.items()}}}}
    told = environment(component(render("muster", values=values), service))
    assert load(service, told, monkeypatch) == wanted


@pytest.mark.parametrize("service", SERVICES)
def test_services_are_told_nothing_that_they_do_not_read(service: str) -> None:
    known = {variable for each, name, field in settings(service) for variable in variables(each, name, field)}
    told = {name for name in environment(component(muster("default"), service)) if not name.startswith("OTEL_")}
    assert told <= known


def test_what_all_share_reaches_those_who_read_it() -> None:
    shared = {"logLevel": "WARNING", "telegramApiUrl": "http://telegram:8081"}
    objects = render("muster", values={"settings": shared, "components": {"dm": {"settings": {"logLevel": "DEBUG"}}}})
    told = {service: environment(component(objects, service)) for service in SERVICES}
    assert [told[s]["MUSTER_LOG_LEVEL"] for s in SERVICES] == ["WARNING", "WARNING", "WARNING", "DEBUG"]
    assert {told[s]["MUSTER_TELEGRAM_API_URL"] for s in SERVICES} == {"http://telegram:8081"}


@pytest.mark.parametrize("chart", BOTH)
def test_no_credential_is_written_down(chart: str) -> None:
    written = re.compile(r"://[^\s/:@]+:[^\s/{]+@|\d{6,}:[A-Za-z0-9_-]{30,}|mst_[a-z]+_|-----BEGIN|[0-9a-f]{64}")
    texts = [path for path in (CHARTS / chart).rglob("*") if path.is_file()]
    assert [path.name for path in texts if written.search(path.read_text("utf-8").replace("@sha256:", ""))] == []


def test_the_chart_makes_no_secret() -> None:
    for name in ("default", "dev", "e2e", "prod", "all on"):
        assert of_kind(muster(name), "Secret") == {}
        assert "stringData" not in json.dumps(muster(name))


def test_the_servers_secrets_are_made_at_random_and_fit_the_services(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (
        of_kind(render("muster-devinfra", release="infra", values={"kedaNamespace": name}), "Secret")["muster"][
            "stringData"
        ]
        for name in ("keda", "scaling")
    )
    assert [key for key in first if first[key] == second[key]] == []
    told = {key: value for key, value in first.items() if key.isupper()}
    assert set(told) == {"DATABASE_URL", "AMQP_URL", "MUSTER_WEBHOOK_KEYS", "MUSTER_ENCRYPTION_KEYS"}
    load("ingress", told, monkeypatch)
    assert len(KeyRing.from_hex(told["MUSTER_WEBHOOK_KEYS"]).keys["1"]) == 32
    assert len(KeyRing.from_base64(told["MUSTER_ENCRYPTION_KEYS"]).keys["k1"]) == 32
    users = json.loads(first["definitions.json"])["users"]
    assert told["AMQP_URL"].split(":")[2].split("@")[0] == users[0]["password"]


def test_rules_and_dashboards_are_taken_from_their_folders(tmp_path: Path) -> None:
    shutil.copytree(CHARTS / "muster", tmp_path / "muster")
    for folder in ("rules", "dashboards"):
        shutil.rmtree(tmp_path / "muster" / folder, ignore_errors=True)
    on = {"monitoring": {"rules": {"enabled": True}, "dashboards": {"enabled": True}}}
    none = render("muster", values=on, root=tmp_path)
    assert (of_kind(none, "PrometheusRule"), of_kind(none, "ConfigMap")) == ({}, {})
    (tmp_path / "muster" / "rules").mkdir()
    rule = {"alert": "A", "expr": "up == 0", "annotations": {"summary": "{{ $labels.pod }} is down"}}
    group = {"groups": [{"name": "g", "rules": [rule]}]}
    (tmp_path / "muster" / "rules" / "alerts.yaml").write_text(yaml.safe_dump(group))
    (tmp_path / "muster" / "dashboards").mkdir()
    (tmp_path / "muster" / "dashboards" / "overview.json").write_text('{"legend": "{{pod}}"}')
    objects = render("muster", values={**on, "nameOverride": ""}, root=tmp_path)
    assert of_kind(objects, "PrometheusRule")["muster-alerts"]["spec"] == group
    dashboards = of_kind(objects, "ConfigMap")["muster-dashboards"]
    assert dashboards["data"] == {"overview.json": '{"legend": "{{pod}}"}'}
    assert dashboards["metadata"]["labels"]["grafana_dashboard"] == "1"


def test_the_dashboards_fit_into_one_object() -> None:
    files = (CHARTS / "muster" / "dashboards").glob("*.json")
    assert sum(file.stat().st_size for file in files) < 900_000  # bytes: etcd takes a MiB, names and labels included


def settings(service: str) -> Iterator[tuple[type[Settings], str, FieldInfo]]:
    """Every field of the settings classes of one service."""
    module = importlib.import_module(f"{service}.settings")
    for _, each in inspect.getmembers(module, inspect.isclass):
        if issubclass(each, Settings) and each.__module__ == module.__name__:
            yield from ((each, name, field) for name, field in each.model_fields.items())


def variables(each: type[Settings], name: str, field: FieldInfo) -> list[str]:
    alias = field.validation_alias
    own = [str(choice) for choice in alias.choices] if isinstance(alias, AliasChoices) else []
    return [*own, f"{each.model_config.get('env_prefix', '')}{name}".upper()]


def secret(field: FieldInfo) -> bool:
    return "SecretStr" in str(field.annotation)


def camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def load(service: str, told: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the service's own classes make of an environment."""
    for each, name, field in settings(service):
        for variable in variables(each, name, field):
            monkeypatch.delenv(variable, raising=False)
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    loaded = {each: each.load() for each, _, _ in settings(service)}
    found = {name: getattr(loaded[each], name) for each, name, _ in settings(service)}
    return {name: value for name, value in found.items() if not isinstance(value, SecretStr)}


def another(name: str, default: Any) -> Any:
    """A value that is not the default, and that all agree on."""
    texts = {
        "log_level": "ERROR",
        "telegram_api_url": "http://telegram:8081",
        "public_url": "https://muster.example.com",
        "host": "127.0.0.1",
        "health_host": "127.0.0.1",
    }
    if name in texts:
        return texts[name]
    return (default if default is not None else 9100) + (0.5 if isinstance(default, float) else 1)


def open_objects(shape: Any, path: str = "") -> list[str]:
    """Where an unknown key would be swallowed: only maps of one kind of thing, and Kubernetes' own objects, may."""
    found = []
    if isinstance(shape, dict):
        if (
            "properties" in shape
            and isinstance(shape["properties"], dict)
            and shape.get("additionalProperties") is not False
        ):
            found.append(path)
        for key, inner in shape.items():
            found += open_objects(inner, f"{path}/{key}")
    return found
