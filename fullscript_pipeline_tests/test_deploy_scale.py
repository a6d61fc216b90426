"""deploy/compose.scale.yaml: what it describes is closed, and its commands run with the settings beside it.

What does not belong here: the services of one machine (`test_deploy`), how workers share runs
(`orchestration/test_celery_workers`).
"""

import os
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import psycopg2
import pytest
import yaml

from fullscript_pipeline_tests.helpers.free_ports import free_port
from fullscript_pipeline_tests.helpers.postgres_server import running_postgres
from fullscript_pipeline_tests.helpers.wait_until import wait, wait_until_it_listens

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
STORES = {"postgres", "redis", "s3"}
OURS = {"daemon", "worker", "webserver", "receiver", "portal"}
SHARED = ("FULLSCRIPT_STATE_URL", "FULLSCRIPT_WAREHOUSE_URL", "FULLSCRIPT_FILES_URL", "FULLSCRIPT_RUNNER")
CERTIFICATE, KEY = "/tls/postgres.crt", "/tls/postgres.key"
# Words of the commands and health checks.
PORTS = {"3000": "webserver", "8767": "receiver"}
_ENCRYPTED = """SELECT count(*), bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
    WHERE usename = 'fullscript'"""
RUN_HERE = ("daemon", "worker", "webserver", "receiver")


def described() -> dict[str, Any]:
    return cast(dict[str, Any], yaml.safe_load((DEPLOY / "compose.scale.yaml").read_text()))


def services() -> dict[str, Any]:
    return cast(dict[str, Any], described()["services"])


def example(name: str) -> dict[str, str]:
    """What Docker would read from the file. Values hold `=`, and no quotes."""
    lines = (DEPLOY / f"{name}.env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def seconds(text: str) -> int:
    return int(text.removesuffix("s"))


def test_every_service_is_closed_and_says_when_it_is_well() -> None:
    assert set(services()) == STORES | OURS
    for name, service in services().items():
        assert service["read_only"] is True and service["init"] is True, name
        assert service["ulimits"]["core"] == 0, name
        assert (service["cap_drop"], service["security_opt"]) == (["ALL"], ["no-new-privileges:true"]), name
        assert set(service["healthcheck"]) == {"test", "interval", "timeout", "start_period"}, name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        assert service["restart"] == "unless-stopped", name
        assert "privileged" not in service and "network_mode" not in service, name
    assert not [name for name in STORES if "ports" in services()[name]], "nobody but our services reaches a store"
    assert described()["networks"]["stores"] == {"internal": True}
    assert all(services()[name]["networks"] == ["stores"] for name in STORES)


def test_images_are_named_with_their_version() -> None:
    images = {name: service["image"] for name, service in services().items()}
    assert {images[name] for name in OURS} == {"fullscript-pipeline:scale"}
    for name in STORES:
        _, _, tag = images[name].rpartition(":")
        assert tag.count(".") >= 1 and tag.replace(".", "").isdigit(), images[name]
    build = services()["worker"]["build"]
    assert build["args"] == {"LOCK": "requirements-distributed.lock"}
    assert all(services()[name]["build"] == build for name in OURS)
    names = [line.split("==")[0] for line in (ROOT / build["args"]["LOCK"]).read_text().splitlines() if "==" in line]
    assert {"celery", "dagster-celery", "dagster-postgres", "obstore", "authlib"} <= set(names)
    assert not {"pytest", "mypy", "ruff"} & set(names)


def test_no_secret_is_in_the_files() -> None:
    """Of ours none has a variable but from its file; the names of a user and a database are no secret."""
    assert [name for name, service in services().items() if "environment" in service] == ["postgres"]
    assert services()["postgres"]["environment"] == {"POSTGRES_USER": "fullscript", "POSTGRES_DB": "fullscript"}
    for name in ("scale", "stores"):
        for variable, value in example(name).items():
            if any(word in variable for word in ("PASSWORD", "SECRET", "_KEY", "RUNNER")) and "_ID" not in variable:
                assert "CHANGE-" in value, variable
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert {"/deploy/*.env", "/deploy/tls/"} <= set(ignored)


def test_all_of_ours_read_the_four_places_from_one_file() -> None:
    assert {services()[name]["env_file"] for name in OURS - {"portal"}} == {"scale.env"}
    assert services()["portal"]["env_file"] == "portal.env", "it must not have the encryption key"
    assert {services()[name]["env_file"] for name in STORES} == {"stores.env"}
    ours = example("scale")
    assert set(SHARED) <= set(ours)
    hosts = [urlsplit(ours["FULLSCRIPT_STATE_URL"]).hostname, urlsplit(ours["FULLSCRIPT_RUNNER"]).hostname]
    hosts += [urlsplit(ours["AWS_ENDPOINT_URL"]).hostname]
    assert hosts == ["postgres", "redis", "s3"], "as the services are called"
    assert "host=postgres " in ours["FULLSCRIPT_WAREHOUSE_URL"]
    # A bucket's first part is the folder that the S3 server is started with.
    assert ours["FULLSCRIPT_FILES_URL"].startswith("s3://fullscript/")
    assert "mkdir -p /data/fullscript\n" in services()["s3"]["command"][0]


def test_the_database_is_reached_by_tls_only() -> None:
    """A production server refuses a lake's catalog without it; the certificate is a file that is mounted."""
    ours = example("scale")
    assert all("sslmode=verify-full" in ours[name] for name in SHARED[:2])
    assert ours["PGSSLROOTCERT"] == CERTIFICATE
    command = shlex.split(services()["postgres"]["command"])
    assert {"ssl=on", f"ssl_cert_file={CERTIFICATE}", f"ssl_key_file={KEY}"} <= set(command)
    for name in {*OURS, "postgres"} - {"portal"}:
        mounts = [mount for mount in services()[name]["volumes"] if isinstance(mount, dict)]
        assert {mount["target"] for mount in mounts} == ({CERTIFICATE, KEY} if name == "postgres" else {CERTIFICATE})
        # Without the file Docker would make a folder of its name.
        assert all(mount["read_only"] and not mount["bind"]["create_host_path"] for mount in mounts), name


def test_workers_share_no_folder() -> None:
    """What several processes need is in the stores: a worker has scratch of its own, which the image declares."""
    named = {name: [m for m in service["volumes"] if isinstance(m, str)] for name, service in services().items()}
    shared = ["daemon:/data"]
    assert {name: named[name] for name in OURS} == {
        "daemon": shared, "portal": shared, "worker": [], "webserver": [], "receiver": [],
    }  # fmt: skip
    assert services()["portal"]["pid"] == "service:daemon"
    assert "\nVOLUME /data\n" in (DEPLOY / "Dockerfile").read_text()
    assert all("/tmp:nosuid,nodev" in services()[name]["tmpfs"] for name in OURS)  # noqa: S108


def test_a_run_has_time_to_stop_and_pulls_come_last() -> None:
    """A worker and its run end within seconds of SIGTERM; the test of that gives them 40."""
    assert all(seconds(services()[name]["stop_grace_period"]) >= 120 for name in OURS)
    assert services()["postgres"]["stop_signal"] == "SIGINT", "SIGTERM would wait for every client"
    assert services()["worker"]["command"].startswith("celery -A fullscript_pipeline.orchestration.worker worker")
    assert services()["worker"]["deploy"]["replicas"] >= 2
    assert {name for name in OURS if services()[name].get("cpu_shares")} == {"worker"}


def test_ours_start_when_the_stores_are_well() -> None:
    for name in OURS - {"portal"}:
        waits = {"condition": "service_healthy", "required": False}
        assert services()[name]["depends_on"] == dict.fromkeys(STORES, waits), "one of a provider is not waited for"
    profiles = {name: service["profiles"] for name, service in services().items() if "profiles" in service}
    stores = {name: ["stores", name] for name in STORES}
    assert profiles == {**stores, "receiver": ["webhooks"], "portal": ["portal"]}


def test_a_worker_that_is_not_there_is_told_without_the_password() -> None:
    environment = {**os.environ, "FULLSCRIPT_RUNNER": f"celery+redis://:hidden@127.0.0.1:{free_port()}/0"}
    done = subprocess.run(
        [sys.executable, DEPLOY / "worker_check.py"],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1 and done.stderr.startswith("the queue was not reached: ")
    assert "hidden" not in done.stderr


@dataclass
class Started:
    """The services as processes of this machine: each in a folder of its own, with a log."""

    folder: Path
    ports: Mapping[str, int]
    settings: Mapping[str, str]
    processes: "dict[str, subprocess.Popen[str]]" = field(default_factory=dict)

    def here(self, text: str) -> str:
        """A word of the file, or a value of the settings, with this machine's addresses and paths."""
        for image, ours in {
            CERTIFICATE: str(self.folder / "postgres.crt"),
            KEY: str(self.folder / "postgres.key"),
            "/data": str(self.folder / "data"),
            "0.0.0.0:9000": f"127.0.0.1:{self.ports['s3']}",
            "0.0.0.0": "127.0.0.1",  # noqa: S104 - replaced, not bound
            "--port 6379": f"--port {self.ports['redis']}",
            "redis-cli ": f"redis-cli -p {self.ports['redis']} ",
            "deploy/": f"{DEPLOY}/",
            "@postgres:5432": f"@localhost:{self.ports['postgres']}",
            "host=postgres port=5432": f"host=localhost port={self.ports['postgres']}",
            "redis:6379": f"127.0.0.1:{self.ports['redis']}",
            "s3:9000": f"127.0.0.1:{self.ports['s3']}",
            "$$": "$",
        }.items():
            text = text.replace(image, ours)
        return str(self.ports.get(PORTS.get(text, ""), text))

    def words(self, command: Any) -> list[str]:
        return [self.here(word) for word in (shlex.split(command) if isinstance(command, str) else command)]

    def variables(self, name: str) -> dict[str, str]:
        """As in a container: nothing but the file's, and what the image sets."""
        files = example("stores") if name in STORES else self.settings
        home = self.folder / name
        home.mkdir(exist_ok=True)
        path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
        return {"PATH": path, "HOME": str(home), "FULLSCRIPT_DATA_DIR": str(home / "data"), **files}

    def log(self, name: str) -> str:
        return (self.folder / name / "log").read_text()

    def is_well(self, name: str) -> bool:
        """What Docker would find by the service's health check."""
        how, *words = services()[name]["healthcheck"]["test"]
        done = subprocess.run(
            ["sh", "-c", *self.words(words)] if how == "CMD-SHELL" else self.words(words),
            env=self.variables(name), cwd=self.folder, capture_output=True, timeout=60, check=False,
        )  # fmt: skip
        return done.returncode == 0

    def is_well_or_has_ended(self, name: str) -> bool:
        return self.processes[name].poll() is not None or self.is_well(name)

    @contextmanager
    def running(self, name: str) -> Iterator[None]:
        variables = self.variables(name)
        command = [*services()[name].get("entrypoint", []), *self.words(services()[name]["command"])]
        with (
            (self.folder / name / "log").open("w") as log,
            subprocess.Popen(
                command, env=variables, cwd=self.folder, stdout=log, stderr=log, text=True, start_new_session=True
            ) as process,
        ):
            self.processes[name] = process
            try:
                yield
            finally:
                if process.poll() is None:
                    process.send_signal(signal.SIGTERM)
                    process.wait(seconds(services()[name]["stop_grace_period"]))


@pytest.fixture(scope="module")
def started() -> Iterator[Started]:
    """The stores, and ours beside them, by the commands of the file and the settings of the examples."""
    if not shutil.which("redis-server") or not shutil.which("openssl"):
        pytest.skip("Redis or openssl is not installed")
    # PostgreSQL is another user, for whom pytest's folders are closed.
    folder = Path(tempfile.mkdtemp(prefix="scale-"))
    folder.chmod(0o755)
    with ExitStack() as opened:
        opened.callback(shutil.rmtree, folder, ignore_errors=True)
        made: list[str | Path] = [DEPLOY / "make_certificate.sh", "localhost", folder]
        subprocess.run(made, check=True, capture_output=True, timeout=60)
        command = [*services()["postgres"]["command"].replace("/tls/", f"{folder}/").split()[1:]]
        server = opened.enter_context(running_postgres(*command, key=folder / "postgres.key"))
        server.execute("CREATE ROLE fullscript LOGIN")
        server.execute("CREATE DATABASE fullscript OWNER fullscript")
        ports = {"postgres": server.port, **{name: free_port() for name in ("redis", "s3", "webserver", "receiver")}}
        result = Started(folder, ports, {})
        webhooks = {f"FULLSCRIPT_US_WEBHOOK_{word}": "CHANGE-IT" for word in ("CHALLENGE_TOKEN", "SIGNATURE_KEYS")}
        # What can be guessed is refused for a production server's webhooks.
        chosen = {**example("scale"), **webhooks, "FULLSCRIPT_ENCRYPTION_KEY": secrets.token_urlsafe(32)}
        result.settings = {name: result.here(value) for name, value in chosen.items()}
        (folder / "data").mkdir()
        shutil.copy(ROOT / "fullscript_pipeline/orchestration/workspace.yaml", folder)
        for name in ("redis", "s3"):
            opened.enter_context(result.running(name))
            wait_until_it_listens(ports[name], result.processes[name], 30)
        for name in RUN_HERE:
            opened.enter_context(result.running(name))
        yield result


@pytest.mark.check_all
@pytest.mark.timeout(600)
def test_the_services_run_with_the_settings_of_the_examples(started: Started) -> None:
    """Each becomes well by its own health check, over TLS, and ends in time when it is told to."""
    assert started.is_well("redis"), started.log("redis")
    for name in RUN_HERE:
        assert wait(partial(started.is_well_or_has_ended, name), 180, 2), (name, started.log(name)[-3000:])
        assert started.processes[name].poll() is None, (name, started.log(name)[-3000:])
    server = f"host=127.0.0.1 port={started.ports['postgres']} user=tests dbname=postgres"
    with closing(psycopg2.connect(server)) as con, con.cursor() as cursor:
        cursor.execute(_ENCRYPTED)
        ((connections, all_encrypted),) = cursor.fetchall()
    assert connections > 0 and all_encrypted is True
    for name in RUN_HERE:
        process = started.processes[name]
        process.send_signal(signal.SIGTERM)
        process.wait(seconds(services()[name]["stop_grace_period"]))
    assert not started.is_well("worker") and not started.is_well("webserver")
    hidden = [value for value in started.settings.values() if "CHANGE-" in value and ":" not in value]
    hidden += [started.settings["FULLSCRIPT_ENCRYPTION_KEY"], "CHANGE-QUEUE"]
    assert not [name for name in RUN_HERE for text in hidden if text in started.log(name)]
