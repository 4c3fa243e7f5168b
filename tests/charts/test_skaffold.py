"""skaffold.yaml says nothing that the tree does not have: Dockerfiles, globs, charts' values, paths of its patches."""

from __future__ import annotations

import ast
import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CONFIG: dict[str, Any] = yaml.safe_load((ROOT / "skaffold.yaml").read_text("utf-8"))
PROFILES = {profile["name"]: profile for profile in CONFIG["profiles"]}
COMBINATIONS = [(), ("dev",), ("e2e",), ("prod",), ("dev", "lab"), ("lab",), ("e2e", "lab")]


@pytest.fixture(params=COMBINATIONS, ids=lambda names: "+".join(names) or "none")
def applied(request: pytest.FixtureRequest) -> dict[str, Any]:
    config = copy.deepcopy(CONFIG)
    for name in request.param:
        for each in PROFILES[name]["patches"]:
            patch(config, each)
    return config


def test_five_artifacts_each_with_a_dockerfile_in_its_context(applied: dict[str, Any]) -> None:
    artifacts = applied["build"]["artifacts"]
    assert {each["image"] for each in artifacts} == {
        f"muster-{name}" for name in ["ingress", "tgms", "sender", "dm", "telegram"]
    }
    for each in artifacts:
        dockerfile = (ROOT / each["context"] / each["docker"]["dockerfile"]).read_text("utf-8")
        assert f'title="{each["image"]}"' in dockerfile
        target = each["docker"].get("target", "runtime")
        assert f" AS {target}\n" in dockerfile


def test_every_glob_matches_and_lands_where_python_looks(applied: dict[str, Any]) -> None:
    for each in applied["build"]["artifacts"]:
        dockerfile = (ROOT / each["docker"]["dockerfile"]).read_text("utf-8")
        for rule in each.get("sync", {}).get("manual", []):
            matched = [path for path in ROOT.glob(rule["src"]) if path.suffix == ".py"]
            assert matched, rule
            package = Path(rule["src"].partition("/**")[0])
            assert (ROOT / package / "__init__.py").exists() or (ROOT / package).is_dir()
            assert f"{rule['dest']}/{package.parent}" in dockerfile, rule


def test_every_chart_and_file_of_values_is_there(applied: dict[str, Any]) -> None:
    for release in releases(applied):
        assert (ROOT / release["chartPath"] / "Chart.yaml").exists()
        assert all((ROOT / file).is_file() for file in release["valuesFiles"])
        assert all(file.startswith(release["chartPath"]) for file in release["valuesFiles"])


def test_every_value_that_is_set_is_one_of_the_charts(applied: dict[str, Any]) -> None:
    for release in releases(applied):
        values = yaml.safe_load((ROOT / release["chartPath"] / "values.yaml").read_text("utf-8"))
        for key in (*release.get("setValues", {}), *release.get("setValueTemplates", {})):
            assert has(values, key), f"{release['name']}: {key}"


def test_every_built_image_is_deployed(applied: dict[str, Any]) -> None:
    built = {each["image"].replace("-", "_") for each in applied["build"]["artifacts"]}
    templates = " ".join(t for release in releases(applied) for t in release["setValueTemplates"].values())
    with_infra = len(releases(applied)) == 2
    assert {name for name in built if f"_{name}}}" in templates} == (
        built if with_infra else built - {"muster_telegram"}
    )


def test_only_dev_lets_files_in() -> None:
    assert not any("sync" in each for each in CONFIG["build"]["artifacts"])
    assert [name for name, profile in PROFILES.items() if any("sync" in p["path"] for p in profile["patches"])] == [
        "dev"
    ]
    assert PROFILES["dev"]["activation"] == [{"command": "dev"}]


def test_production_has_no_servers_for_development() -> None:
    config = copy.deepcopy(CONFIG)
    for each in PROFILES["prod"]["patches"]:
        patch(config, each)
    [release] = releases(config)
    assert release["chartPath"] == "charts/muster"
    assert config["build"]["local"]["push"] is True
    assert "verify" not in config


def test_the_verification_is_python_and_its_job_has_its_container() -> None:
    [case] = CONFIG["verify"]
    ast.parse(case["container"]["args"][0])
    job = yaml.safe_load((ROOT / case["executionMode"]["kubernetesCluster"]["jobManifestPath"]).read_text("utf-8"))
    [container] = job["spec"]["template"]["spec"]["containers"]
    assert container["name"] == case["container"]["name"]
    given = {each["name"] for each in container["env"]}
    script = case["container"]["args"][0]
    assert all(f'"{name}"' in script for name in given & {"TELEGRAM_API_URL", "WEBHOOK_URL"})


def releases(config: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = config["deploy"]["helm"]["releases"]
    return found


def has(values: Any, key: str) -> bool:
    for word in key.split("."):
        if not isinstance(values, dict) or word not in values:
            return False
        values = values[word]
    return True


def patch(config: dict[str, Any], each: dict[str, Any]) -> None:
    """RFC 6902 as far as profiles use it: a path that leads nowhere is an error."""
    *way, last = each["path"].strip("/").split("/")
    place: Any = config
    for word in way:
        place = place[int(word)] if isinstance(place, list) else place[word]
    if isinstance(place, list) and last == "-":
        place.append(each["value"])
        return
    key: Any = int(last) if isinstance(place, list) else last
    if each["op"] != "add":
        place[key]  # KeyError where there is nothing to replace or to remove
    if each["op"] == "remove":
        del place[key]
    else:
        place[key] = each["value"]
