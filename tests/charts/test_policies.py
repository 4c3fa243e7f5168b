"""What holds for every set of values: who may do what, who owns the size, and that nothing points into the void."""

from __future__ import annotations

import re
from typing import Any

import pytest
from common.queues import DM_QUEUE, GROUP_MESSAGE_QUEUE
from matrix import DEVINFRA, FIXED, MUSTER, SERVICES, WORKLOADS, devinfra, muster
from rendering import Object, component, containers, environment, of_kind, pods, render, selected

# One Python is enough for what Helm renders; the first test on a machine fetches Helm.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

OURS = [pytest.param(name, id=name) for name in MUSTER]
LOADS = [pytest.param(name, id=name) for name in WORKLOADS]
SERVERS = [pytest.param(name, id=name) for name in DEVINFRA]
# What a Secret may be asked for; the services' documentation names the first four.
KEYS = {"DATABASE_URL", "AMQP_URL", "MUSTER_WEBHOOK_KEYS", "MUSTER_ENCRYPTION_KEYS", "DATABASE_URL_UNPOOLED"}
GIVEN = {"url", "OTEL_HEADERS"}  # by `all on` itself
DNS = [{"port": 53, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}]
HOOK = "helm.sh/hook"
OWNERS = ("ScaledObject", "HorizontalPodAutoscaler")


@pytest.mark.parametrize("name", LOADS)
def test_pods_are_restricted(name: str) -> None:
    for pod, _, spec in pods(muster(name)):
        assert restricted(spec) == [], pod
        assert spec["securityContext"]["runAsUser"] == 10001, pod
        assert spec["automountServiceAccountToken"] is False, pod
        for each in containers(spec):
            assert each["securityContext"]["readOnlyRootFilesystem"] is (name != "dev"), pod


@pytest.mark.parametrize("name", SERVERS)
def test_the_servers_for_development_are_restricted_too(name: str) -> None:
    for pod, labels, spec in pods(devinfra(name)):
        assert restricted(spec) == [], pod
        asks = labels["app.kubernetes.io/component"] == "prometheus"
        assert spec["automountServiceAccountToken"] is asks, pod
        assert [each["image"] for each in containers(spec) if each["image"].endswith(":latest")] == []


@pytest.mark.parametrize("name", LOADS)
def test_memory_is_bounded_and_the_processor_is_not(name: str) -> None:
    # A CPU limit stops the event loop for the rest of each 100 ms, and heartbeats, slots and probes with it.
    for pod, _, spec in [*pods(muster(name)), *pods(devinfra("default"))]:
        for each in containers(spec):
            assert set(each["resources"]["limits"]) == {"memory"}, pod
            assert set(each["resources"]["requests"]) == {"cpu", "memory"}, pod


@pytest.mark.parametrize("name", LOADS)
def test_images_are_ours_and_named(name: str) -> None:
    for pod, _, spec in pods(muster(name)):
        for each in containers(spec):
            assert re.fullmatch(
                r"(\S+/)?muster-(ingress|tgms|sender|dm):[^:@]+(@sha256:[0-9a-f]{64})?", each["image"]
            ), pod
            assert ":latest" not in each["image"], pod


@pytest.mark.parametrize("name", LOADS)
def test_a_deployment_has_a_size_or_an_owner_of_its_size(name: str) -> None:
    objects = muster(name)
    owners = [each["spec"]["scaleTargetRef"]["name"] for kind in OWNERS for each in of_kind(objects, kind).values()]
    assert len(owners) == len(set(owners))
    for deployment in of_kind(objects, "Deployment").values():
        # Helm applies on the server's side: a size beside an owner makes every later upgrade fail.
        assert ("replicas" in deployment["spec"]) != (deployment["metadata"]["name"] in owners)


@pytest.mark.parametrize("name", LOADS)
def test_there_is_exactly_one_brain(name: str) -> None:
    objects = muster(name)
    brain = component(objects, "tgms")
    assert (brain["spec"]["replicas"], brain["spec"]["strategy"]) == (1, {"type": "Recreate"})
    for kind in (*OWNERS, "PodDisruptionBudget"):
        assert "muster-tgms" not in of_kind(objects, kind)


@pytest.mark.parametrize("name", LOADS)
def test_a_pod_may_take_as_long_to_stop_as_its_service(name: str) -> None:
    for service in SERVICES:
        deployment = component(muster(name), service)
        told = float(environment(deployment)["MUSTER_SHUTDOWN_GRACE" if service == "ingress" else "MUSTER_GRACE"])
        spec = deployment["spec"]["template"]["spec"]
        sleeps = spec["containers"][0].get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        assert spec["terminationGracePeriodSeconds"] >= told + sleeps + 5
        assert sleeps >= (3 if service == "ingress" and name != "dev" else 0)


def test_one_value_sets_both_graces() -> None:
    deployment = component(render("muster", values={"components": {"dm": {"settings": {"grace": 90.5}}}}), "dm")
    assert environment(deployment)["MUSTER_GRACE"] == "90.5"
    assert deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 91 + 15


@pytest.mark.parametrize("name", LOADS)
def test_probes_ask_what_the_service_answers(name: str) -> None:
    for service in SERVICES:
        container = component(muster(name), service)["spec"]["template"]["spec"]["containers"][0]
        ports = {each["name"] for each in container["ports"]}
        asked = {kind: container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")}
        assert {each["port"] for each in asked.values()} <= ports
        assert asked["startup"]["path"] == asked["liveness"]["path"] == "/livez"
        # The door answers with an outbox while the broker is away: it must not be taken off its Service then.
        assert asked["readiness"]["path"] == ("/livez" if service == "ingress" else "/readyz")


@pytest.mark.parametrize("name", OURS)
def test_nothing_selects_nothing(name: str) -> None:
    assert astray(muster(name)) == []


@pytest.mark.parametrize("name", SERVERS)
def test_nothing_selects_nothing_among_the_servers(name: str) -> None:
    assert astray(devinfra(name)) == []


@pytest.mark.parametrize("name", LOADS)
def test_every_pod_is_denied_by_default_and_allowed_by_one_policy(name: str) -> None:
    objects = muster(name)
    policies = of_kind(objects, "NetworkPolicy")
    for pod, labels, _ in pods(objects):
        taking = [each for each in policies.values() if selected(each["spec"]["podSelector"], labels)]
        assert len([each for each in taking if HOOK not in each["metadata"].get("annotations", {})]) == 2, pod
        assert all(each["spec"]["policyTypes"] == ["Ingress", "Egress"] for each in taking), pod
    deny = policies["muster-default-deny"]["spec"]
    assert ("ingress" in deny, "egress" in deny) == (False, False)


def test_only_the_services_may_reach_telegram_and_only_the_brain_tells_webhooks() -> None:
    policies = of_kind(muster("e2e"), "NetworkPolicy")
    reached = {
        name.removeprefix("muster-"): {
            port["port"] for rule in each["spec"].get("egress", []) for port in rule["ports"]
        }
        for name, each in policies.items()
    }
    assert {name for name, ports in reached.items() if 8081 in ports} == set(SERVICES)
    assert [name for name, ports in reached.items() if 443 in ports] == ["tgms"]


def test_who_may_leave_the_cluster_may_not_reach_ones_own_networks() -> None:
    for name, policy in of_kind(muster("prod"), "NetworkPolicy").items():
        for rule in policy["spec"].get("egress", []):
            if rule["ports"] == DNS:
                continue
            blocks = [peer["ipBlock"] for peer in rule.get("to", []) if "ipBlock" in peer]
            for block in blocks:
                assert {"10.0.0.0/8", "169.254.0.0/16"} <= set(block["except"]) or "fc00::/7" in block["except"], name


def test_names_are_resolved_by_a_cache_on_the_node_too() -> None:
    # GKE's NodeLocal DNSCache answers at these; the second is the cloud's metadata server as well.
    addresses = {"169.254.20.10/32", "169.254.169.254/32"}
    for name, policy in of_kind(muster("default"), "NetworkPolicy").items():
        opened = []
        for rule in policy["spec"].get("egress", []):
            found = {peer["ipBlock"]["cidr"] for peer in rule.get("to", []) if "ipBlock" in peer}
            if found & addresses:
                opened.append(rule["ports"])
                apps = [peer["podSelector"]["matchLabels"]["k8s-app"] for peer in rule["to"] if "podSelector" in peer]
                assert (found, apps) == (addresses, ["kube-dns", "node-local-dns"]), name
        assert opened == ([] if name == "muster-default-deny" else [DNS]), name


def test_nobody_may_come_in_but_the_controller_the_monitor_and_the_test() -> None:
    policies = of_kind(muster("default"), "NetworkPolicy")
    peers = {
        s: [peer for rule in policies[f"muster-{s}"]["spec"]["ingress"] for peer in rule["from"]] for s in SERVICES
    }
    monitor = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    assert all(peers[service] == [monitor] for service in ("tgms", "sender", "dm"))
    assert len([peer for peer in peers["ingress"] if peer != monitor]) == 2
    for name in ("migration", "migration-hook", "test"):
        assert "ingress" not in policies[f"muster-{name}"]["spec"]


def test_keda_may_reach_the_broker_and_nothing_else() -> None:
    keda = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "keda"}}}
    reached = {
        name: [port["port"] for rule in policy["spec"]["ingress"] if keda in rule["from"] for port in rule["ports"]]
        for name, policy in of_kind(devinfra("default"), "NetworkPolicy").items()
    }
    assert {name: ports for name, ports in reached.items() if ports} == {"muster-rabbitmq": ["amqp", "management"]}


@pytest.mark.parametrize("name", LOADS)
def test_secrets_are_asked_for_by_documented_keys(name: str) -> None:
    for pod, _, spec in pods(muster(name)):
        for each in containers(spec):
            sources = [variable.get("valueFrom", {}).get("secretKeyRef") for variable in each["env"]]
            assert {source["key"] for source in sources if source} <= KEYS | GIVEN, pod


def test_each_service_gets_the_secrets_that_it_needs() -> None:
    given = {
        s: {k for k, v in environment(component(muster("default"), s)).items() if v.startswith("secret:")}
        for s in SERVICES
    }
    both = {"DATABASE_URL", "AMQP_URL"}
    assert given == {
        "ingress": both | {"MUSTER_WEBHOOK_KEYS", "MUSTER_ENCRYPTION_KEYS"},
        "tgms": both | {"MUSTER_WEBHOOK_KEYS", "MUSTER_ENCRYPTION_KEYS"},
        "sender": both | {"MUSTER_ENCRYPTION_KEYS"},
        "dm": both | {"MUSTER_ENCRYPTION_KEYS"},
    }
    assert "MUSTER_ENCRYPTION_KEYS" not in environment(component(muster("fixed size"), "ingress"))


def test_a_component_may_have_a_secret_of_its_own() -> None:
    objects = muster("all on")
    assert environment(component(objects, "tgms"))["DATABASE_URL"] == "secret:brain/url"
    assert environment(component(objects, "dm"))["AMQP_URL"] == "secret:voice/url"
    assert environment(component(objects, "dm"))["DATABASE_URL"] == "secret:muster/DATABASE_URL"


def test_the_scalers_look_at_the_services_queues() -> None:
    scaled = of_kind(muster("default"), "ScaledObject")
    queues = {name: each["spec"]["triggers"][0]["metadata"]["queueName"] for name, each in scaled.items()}
    assert queues == {"muster-sender": GROUP_MESSAGE_QUEUE.name, "muster-dm": DM_QUEUE.name}


@pytest.mark.parametrize("name", LOADS)
def test_keda_reads_the_secret_of_its_service(name: str) -> None:
    objects = muster(name)
    for each in of_kind(objects, "ScaledObject").values():
        authentication = each["spec"]["triggers"][0]["authenticationRef"]["name"]
        [host, *_] = of_kind(objects, "TriggerAuthentication")[authentication]["spec"]["secretTargetRef"]
        service = each["spec"]["scaleTargetRef"]["name"].removeprefix("muster-")
        own = environment(component(objects, service))["AMQP_URL"]
        assert f"secret:{host['name']}/{host['key']}" == ("secret:keda/url" if name == "all on" else own)


def test_the_first_message_wakes_the_sender_in_the_end_to_end_tests() -> None:
    spec = of_kind(muster("e2e"), "ScaledObject")["muster-sender"]["spec"]
    assert (spec["minReplicaCount"], spec["triggers"][0]["metadata"]["activationValue"]) == (0, "0")
    assert (spec["pollingInterval"], spec["cooldownPeriod"]) == (2, 20)


@pytest.mark.parametrize("name", LOADS)
def test_of_a_secret_only_the_named_keys_are_mounted(name: str) -> None:
    mounted = 0
    for pod, _, spec in [*pods(muster(name)), *pods(devinfra("default")), *pods(devinfra("all on"))]:
        for each in spec.get("volumes", []):
            if "secret" in each:
                assert [set(item) for item in each["secret"]["items"]], pod
                mounted += pod.startswith("Deployment muster-") and each["name"] == "ca"
    assert mounted == (4 if name == "all on" else 0)


def test_a_fixed_size_is_kept() -> None:
    objects = muster("fixed size")
    wanted = {name: part["replicas"] for name, part in FIXED["components"].items()}
    assert {name: component(objects, name)["spec"]["replicas"] for name in wanted} == wanted
    assert [each for kind in OWNERS for each in of_kind(objects, kind)] == []


def test_all_off_leaves_the_test_pod() -> None:
    assert [each["kind"] for each in muster("all off")] == ["Pod"]


def restricted(spec: Object) -> list[str]:
    """What Pod Security's profile `restricted` would refuse."""
    whole = spec["securityContext"]
    found = [] if whole.get("runAsNonRoot") and whole.get("runAsUser", 0) > 0 else ["may be root"]
    found += [] if whole.get("seccompProfile") == {"type": "RuntimeDefault"} else ["seccomp"]
    found += [key for key in ("hostNetwork", "hostPID", "hostIPC") if spec.get(key)]
    allowed = {"configMap", "emptyDir", "secret", "persistentVolumeClaim", "projected"}
    found += [each["name"] for each in spec.get("volumes", []) if not (set(each) - {"name"}) <= allowed]
    for each in containers(spec):
        context = each["securityContext"]
        if context.get("allowPrivilegeEscalation") is not False or context.get("privileged"):
            found.append("may gain privileges")
        if context.get("capabilities") != {"drop": ["ALL"]}:
            found.append("capabilities")
        found += [port["name"] for port in each.get("ports", []) if "hostPort" in port]
    return found


def astray(objects: list[Object]) -> list[str]:
    """Selectors that take no pod, ports that no selected pod has, targets and accounts that do not exist."""
    there = [(labels, named_ports(spec)) for _, labels, spec in pods(objects)]
    found = []
    for each in objects:
        selector = chosen(each)
        if selector is None:
            continue
        ports = [named for labels, named in there if selected(selector, labels)]
        missing = wanted_ports(each) - set().union(*ports)
        found += [
            f"{each['kind']} {each['metadata']['name']}: {what}" for what in ({"no pod"} if not ports else missing)
        ]
    for kind in OWNERS:
        targets = {each["spec"]["scaleTargetRef"]["name"] for each in of_kind(objects, kind).values()}
        found += sorted(targets - set(of_kind(objects, "Deployment")))
    accounts = {spec["serviceAccountName"] for _, _, spec in pods(objects) if "serviceAccountName" in spec}
    return found + sorted(accounts - set(of_kind(objects, "ServiceAccount")))


def chosen(thing: Object) -> Object | None:
    spec = thing.get("spec", {})
    match thing["kind"]:
        case "Service":
            return {"matchLabels": spec["selector"]}
        case "NetworkPolicy":
            return dict(spec["podSelector"]) if not off_duty(thing) else None
        case "PodDisruptionBudget" | "PodMonitor":
            return dict(spec["selector"])
        case _:
            return None


def off_duty(policy: Object) -> bool:
    """The migration's policy stays, whoever runs the migrations; as a hook it comes with its Job."""
    return str(policy["metadata"]["name"]).endswith("-migration")


def wanted_ports(thing: Object) -> set[Any]:
    spec = thing["spec"]
    if thing["kind"] == "Service":
        return {each["targetPort"] for each in spec["ports"]}
    if thing["kind"] == "PodMonitor":
        return {each["port"] for each in spec["podMetricsEndpoints"]}
    return {port["port"] for rule in spec.get("ingress", []) for port in rule["ports"]}


def named_ports(spec: Object) -> set[Any]:
    return {port["name"] for each in containers(spec) for port in each.get("ports", [])}


def test_the_tests_of_selectors_see_what_is_wrong() -> None:
    objects = muster("default")
    service = of_kind(objects, "Service")["muster-ingress"]
    lost = {**service, "spec": {**service["spec"], "selector": {"app": "nobody"}}}
    closed = {**service, "spec": {**service["spec"], "ports": [{"targetPort": "https"}]}}
    assert astray([*objects, lost, closed]) == ["Service muster-ingress: no pod", "Service muster-ingress: https"]


def test_the_test_of_restriction_sees_what_is_wrong() -> None:
    [(_, _, spec), *_] = pods(muster("default"))
    assert restricted(spec) == []
    assert restricted({**spec, "securityContext": {"runAsNonRoot": True}}) == ["may be root", "seccomp"]
    assert restricted({**spec, "hostNetwork": True, "volumes": [{"name": "h", "hostPath": {}}]}) == ["hostNetwork", "h"]
    open_ = [{**spec["containers"][0], "securityContext": {"privileged": True}}]
    assert restricted({**spec, "containers": open_}) == ["may gain privileges", "capabilities"]


def test_uploads_have_room_in_the_door() -> None:
    objects = muster("default")
    sizes = {
        s: component(objects, s)["spec"]["template"]["spec"]["volumes"][0]["emptyDir"]["sizeLimit"] for s in SERVICES
    }
    # Starlette keeps a body of up to 50 MiB in a file: a pod that outgrows its limit is evicted.
    assert sizes == {"ingress": "1Gi", "tgms": "64Mi", "sender": "64Mi", "dm": "64Mi"}


def test_keda_follows_a_component_to_its_own_broker_user() -> None:
    objects = render("muster", values={"components": {"dm": {"secrets": {"amqpUrl": {"name": "voice", "key": "url"}}}}})
    hosts = {
        name: each["spec"]["secretTargetRef"][0] for name, each in of_kind(objects, "TriggerAuthentication").items()
    }
    assert hosts == {
        "muster-dm": {"parameter": "host", "name": "voice", "key": "url"},
        "muster-sender": {"parameter": "host", "name": "muster", "key": "AMQP_URL"},
    }


def test_a_large_number_stays_one() -> None:
    assert environment(component(muster("all on"), "ingress"))["MUSTER_MEDIA_QUOTA"] == "2000000"
