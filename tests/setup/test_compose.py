"""docker-compose.yml keeps what docs/compose.md promises, service by service.

compose-spec.json is the Compose Specification's schema, unchanged, as Docker Compose 5.6.1 carries it
(github.com/compose-spec/compose-go v2.16.1, Apache-2.0).
"""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from ragapp.index.open import server_url
from ragapp.settings import Settings

from .composed import FILE, ROOT, Tree, services, started, whole

NAMES = sorted(services())
OURS = ["service", "service-cpu"]
PAGES = ["page", "page-cpu"]


@pytest.fixture(params=NAMES)
def one(request: pytest.FixtureRequest) -> Tree:
    """Each service in turn."""
    return services()[request.param]


class TestSpecification:
    @pytest.fixture(scope="class")
    def validator(self) -> Draft202012Validator:
        schema = json.loads(Path(__file__).with_name("compose-spec.json").read_text(encoding="utf-8"))
        Draft202012Validator.check_schema(schema)
        return Draft202012Validator(schema)

    def test_the_file_agrees_with_the_schema(self, validator: Draft202012Validator) -> None:
        faults = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(_parsed())]
        assert not faults

    def test_it_agrees_with_its_variables_filled_in_too(self, validator: Draft202012Validator) -> None:
        assert not list(validator.iter_errors(whole({"PUBLIC_URL": "https://ragapp.example", "TLS": "internal"})))

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda tree: tree["services"]["qdrant"].update(readonly=True),
            lambda tree: tree["services"]["qdrant"].update(ports="6333"),
            lambda tree: tree["services"]["proxy"]["depends_on"]["service"].update(condition="service_well"),
            lambda tree: tree["services"]["service"]["deploy"]["resources"]["reservations"].update(gpus=1),
        ],
        ids=["an unknown key", "a wrong type", "an unknown condition", "an unknown resource"],
    )
    def test_the_schema_would_notice(self, validator: Draft202012Validator, spoil: Callable[[Tree], None]) -> None:
        tree = copy.deepcopy(_parsed())
        spoil(tree)
        assert list(validator.iter_errors(tree))

    def test_whatever_is_named_is_there(self) -> None:
        tree = whole()
        for service in tree["services"].values():
            assert set(service["networks"]) <= tree["networks"].keys()
            assert set(service.get("secrets", [])) <= tree["secrets"].keys()
            assert {one["source"] for one in service.get("configs", [])} <= tree["configs"].keys()
            assert {mount.split(":")[0] for mount in service.get("volumes", [])} <= tree["volumes"].keys()
            assert set(service.get("depends_on", {})) <= tree["services"].keys()
        used = [mount.split(":")[0] for service in tree["services"].values() for mount in service.get("volumes", [])]
        assert set(used) == tree["volumes"].keys()
        for mounted in tree["configs"].values():
            assert (ROOT / mounted["file"]).is_file()


class TestEveryService:
    def test_nobody_is_root(self, one: Tree) -> None:
        user, group = one["user"].split(":")
        assert int(user) > 0
        assert int(group) > 0

    def test_the_root_is_read_only_and_what_is_written_is_named(self, one: Tree) -> None:
        assert one["read_only"] is True
        assert "/tmp" in one["tmpfs"]

    def test_no_rights_are_left_and_none_can_be_had(self, one: Tree) -> None:
        assert one["cap_drop"] == ["ALL"]
        assert not one.get("cap_add")
        assert one["security_opt"] == ["no-new-privileges:true"]
        assert not {"privileged", "devices", "pid", "ipc", "network_mode", "userns_mode"} & one.keys()

    def test_memory_processors_and_processes_are_bounded(self, one: Tree) -> None:
        assert re.fullmatch(r"\d+[mg]", one["mem_limit"])
        assert float(one["cpus"]) >= 0
        assert 0 < one["pids_limit"] <= 4096

    def test_its_log_does_not_fill_the_disk(self, one: Tree) -> None:
        assert one["logging"]["options"].keys() == {"max-size", "max-file"}

    def test_it_says_how_it_is_and_comes_back_by_itself(self, one: Tree) -> None:
        check = one["healthcheck"]
        assert check["test"][0] == "CMD"
        assert {"interval", "timeout", "retries", "start_period"} <= check.keys()
        assert one["restart"] == "unless-stopped"

    def test_its_image_is_pinned_or_made_here(self, one: Tree) -> None:
        name, _, tag = one["image"].partition(":")
        if name != "ragapp":
            assert re.match(r"v?\d+\.\d+\.\d+\b", tag), f"{one['image']} can change from one day to the next"
        elif "build" not in one:
            # nothing of that name is asked of a registry
            assert one["pull_policy"] == "never"

    def test_nothing_secret_stands_in_it(self, one: Tree) -> None:
        for name in one.get("environment", {}):
            assert not re.search(r"KEY|SECRET|PASS|TOKEN", name) or name.endswith("_FILE"), name

    def test_no_host_folder_is_mounted(self, one: Tree) -> None:
        assert not [mount for mount in one.get("volumes", []) if mount.startswith((".", "/", "~"))]


def test_secrets_come_from_files_that_git_does_not_have() -> None:
    secrets = whole()["secrets"]
    assert secrets
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    for secret in secrets.values():
        assert secret.keys() == {"file"}
        assert f"/{Path(secret['file']).parts[0]}/" in ignored
    assert {"/.env", "/service.env", "/docker-compose.override.yml"} <= set(ignored)


def test_all_ports_but_the_proxys_are_this_machines_own() -> None:
    published = {name: one["ports"] for name, one in services().items() if one.get("ports")}
    assert published.keys() == {"service", "service-cpu", "proxy"}
    for name in OURS:
        assert published[name] == ["127.0.0.1:8400:8400"]
    assert published["proxy"] == ["80:8080", "443:8443"]


def test_qdrant_and_the_page_have_no_way_out() -> None:
    tree = whole()
    for name in ("qdrant", *PAGES):
        assert all(tree["networks"][network]["internal"] for network in tree["services"][name]["networks"])


def test_only_the_service_reaches_qdrant() -> None:
    assert [name for name in NAMES if "index" in services()[name]["networks"]] == ["qdrant", *OURS]


def test_qdrant_tells_nobody_how_it_is_used() -> None:
    assert services()["qdrant"]["environment"]["QDRANT__TELEMETRY_DISABLED"] == "true"


def test_qdrants_release_is_one_that_the_locked_client_speaks_to() -> None:
    server = re.search(r":v(\d+)\.(\d+)", services()["qdrant"]["image"])
    client = re.search(r"^qdrant-client==(\d+)\.(\d+)", (ROOT / "configs/locks/gpu.txt").read_text(), re.MULTILINE)
    assert server and client
    assert server[1] == client[1]
    # the client's own rule: one minor release apart at most
    assert abs(int(server[2]) - int(client[2])) <= 1


class TestChoice:
    @pytest.mark.parametrize(("profile", "service", "page"), [("gpu", OURS[0], PAGES[0]), ("cpu", OURS[1], PAGES[1])])
    @pytest.mark.parametrize("tls", [[], ["tls"]], ids=["without TLS", "with TLS"])
    def test_one_service_and_one_page_run(self, profile: str, service: str, page: str, tls: list[str]) -> None:
        found = started(profile, *tls)
        assert set(found) == {service, page, "qdrant", *(["proxy"] if tls else [])}
        assert found[service]["image"] == found[page]["image"] == f"ragapp:{profile}"
        assert found[service]["build"]["args"]["SET"] == found[service]["profiles"][0] == profile

    def test_they_are_reached_by_the_same_name_whichever_runs(self) -> None:
        for names, alias in ((OURS, "service"), (PAGES, "page")):
            assert all(services()[name]["networks"]["inside"]["aliases"] == [alias] for name in names)

    def test_both_over_one_data_folder_can_not_be(self) -> None:
        for names in (OURS, PAGES):
            assert len({services()[name]["container_name"] for name in names}) == 1

    def test_they_differ_in_what_they_run_on_and_in_nothing_else(self) -> None:
        apart = {"profiles", "image", "build", "environment", "deploy"}
        gpu, cpu = (services()[name] for name in OURS)
        assert {key: gpu[key] for key in gpu.keys() - apart} == {key: cpu[key] for key in cpu.keys() - apart}

    def test_the_gpu_is_asked_for_by_the_one_that_needs_it(self) -> None:
        [device] = services()["service"]["deploy"]["resources"]["reservations"]["devices"]
        assert device == {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}
        assert "deploy" not in services()["service-cpu"]

    def test_whoever_needs_another_waits_for_it(self) -> None:
        for name in OURS:
            assert services()[name]["depends_on"] == {"qdrant": {"condition": "service_healthy"}}
        # the one that the profile leaves out can't be waited for
        expected = {"condition": "service_healthy", "required": False}
        assert services()["proxy"]["depends_on"] == dict.fromkeys(OURS, expected)


class TestSettings:
    """The environment in the file, read by the settings themselves."""

    @pytest.fixture(params=OURS)
    def read(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Settings]:
        def read(**variables: str) -> Settings:
            for name in [name for name in os.environ if name.startswith(("RAGAPP_", "QDRANT_"))]:
                monkeypatch.delenv(name)
            for name, value in services(variables)[request.param]["environment"].items():
                monkeypatch.setenv(name, value)
            return Settings()

        return read

    def test_it_listens_for_the_other_containers_and_finds_them(self, read: Callable[..., Settings]) -> None:
        found = read()
        assert (found.serve.host, found.serve.port) == ("0.0.0.0", 8400)
        assert found.serve.page_url == "http://page:8501"
        assert server_url(found) == "http://qdrant:6333"
        assert str(found.index.api_key_file) == "/run/secrets/qdrant_api_key"
        assert found.index.api_key is None

    def test_people_sign_in(self, read: Callable[..., Settings]) -> None:
        assert not read().serve.single_user

    def test_the_link_that_it_prints_is_the_one_that_works(self, read: Callable[..., Settings]) -> None:
        assert read().serve.public_url == "http://127.0.0.1:8400"
        assert read(PORT="9000").serve.public_url == "http://127.0.0.1:9000"
        assert read(PUBLIC_URL="https://ragapp.example").serve.public_url == "https://ragapp.example"

    def test_each_has_its_machines_profile(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert [services()[name]["environment"]["RAGAPP_PROFILE"] for name in OURS] == ["gpu", "laptop"]

    def test_settings_of_ones_own_come_from_a_file_that_need_not_be(self) -> None:
        for name in OURS:
            assert services()[name]["env_file"] == [{"path": "service.env", "required": False}]


class TestCompose:
    """What Compose itself makes of the file; needs its program, and no daemon."""

    @pytest.fixture(scope="class")
    def compose(self, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., subprocess.CompletedProcess[str]]:
        for command in (["docker", "compose"], ["docker-compose"]):
            if shutil.which(command[0]) and not subprocess.run([*command, "version"], capture_output=True).returncode:
                break
        else:
            pytest.skip("Docker Compose is not installed")

        def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
            # no .env of this clone, and no variable of whoever runs the tests
            environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path_factory.getbasetemp()), **variables}
            return subprocess.run(
                [*command, "--file", str(FILE), "--env-file", "/dev/null", *arguments],
                env=environment,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )

        return run

    @pytest.mark.parametrize("profiles", ["gpu", "cpu", "gpu,tls", "cpu,tls"])
    def test_it_starts_what_these_tests_think(
        self, compose: Callable[..., subprocess.CompletedProcess[str]], profiles: str
    ) -> None:
        done = compose("config", "--services", COMPOSE_PROFILES=profiles)
        assert done.returncode == 0, done.stderr
        assert set(done.stdout.split()) == set(started(*profiles.split(",")))

    def test_a_profile_named_by_hand_takes_the_place_of_the_default(
        self, compose: Callable[..., subprocess.CompletedProcess[str]]
    ) -> None:
        done = compose("--profile", "cpu", "config", "--services", COMPOSE_PROFILES="gpu")
        assert set(done.stdout.split()) == set(started("cpu"))

    def test_it_fills_variables_in_as_these_tests_do(
        self, compose: Callable[..., subprocess.CompletedProcess[str]]
    ) -> None:
        chosen = {"PUBLIC_URL": "https://ragapp.example", "TLS": "internal", "PORT": "9000"}
        done = compose("config", "--format", "json", COMPOSE_PROFILES="cpu,tls", **chosen)
        assert done.returncode == 0, done.stderr
        theirs, ours = json.loads(done.stdout)["services"], services(chosen)
        assert theirs.keys() == started("cpu", "tls").keys()
        for name, service in theirs.items():
            assert service.get("environment", {}) == ours[name].get("environment", {})
            assert service.get("container_name") == ours[name].get("container_name")
        assert [port["published"] for port in theirs["service-cpu"]["ports"]] == ["9000"]


def _parsed() -> Tree:
    tree: Tree = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return tree
