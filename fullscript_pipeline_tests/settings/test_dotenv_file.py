"""The `.env` file: what it completes, and when it is refused."""

import os
from pathlib import Path

import pytest

from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.settings import load_settings


def test_dotenv_completes_the_environment_and_never_overrides_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    dotenv = tmp_path / ".env"
    dotenv.touch(mode=0o600)
    dotenv.write_text(
        "FULLSCRIPT_TIME_ZONE=America/Toronto\nFULLSCRIPT_REQUESTS_PER_5_MIN=10\nFULLSCRIPT_NOW=2026-11-22T12:00:00Z\n"
        "FULLSCRIPT_ENCRYPTION_KEY='a$b${HOME}'\n"
    )
    monkeypatch.setenv("FULLSCRIPT_REQUESTS_PER_5_MIN", "20")
    monkeypatch.setenv("FULLSCRIPT_NOW", "2026-11-23T12:00:00Z")
    monkeypatch.setenv("FULLSCRIPT_TIME_ZONE", "")  # so that monkeypatch puts back what the file sets
    monkeypatch.delenv("FULLSCRIPT_TIME_ZONE")
    monkeypatch.setenv("FULLSCRIPT_ENCRYPTION_KEY", "")
    monkeypatch.delenv("FULLSCRIPT_ENCRYPTION_KEY")
    settings = load_settings()
    assert (str(settings.time_zone), settings.requests_per_5_min) == ("America/Toronto", 20)
    assert settings.encryption_key == "a$b${HOME}"
    assert os.environ["FULLSCRIPT_NOW"] == "2026-11-23T12:00:00Z"


@pytest.mark.parametrize("line", ["sandbox ready http://127.0.0.1:8766", 'FULLSCRIPT_DATA_DIR="not closed'])
def test_a_line_of_dotenv_that_is_no_setting_is_told_by_its_number(tmp_path: Path, line: str) -> None:
    (tmp_path / ".env").write_text(f"# ours\nFULLSCRIPT_TIME_ZONE=UTC\n{line}\n")
    with pytest.raises(ConfigurationError, match=r"Line 3 of .*\.env is not a setting") as told:
        load_settings()
    assert line not in str(told.value), "it may hold a secret"


def test_a_dotenv_that_others_may_write_or_that_shows_a_secret_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    dotenv = tmp_path / ".env"
    for name in ("FULLSCRIPT_SWEEP_DAYS", "FULLSCRIPT_PUBLISH_KEY", "FULLSCRIPT_US_SND_CLIENT_SECRET"):
        monkeypatch.setenv(name, "")  # so that what the file sets is taken back at the end
        monkeypatch.delenv(name)

    def loaded(text: str, mode: int) -> str:
        dotenv.write_text(text)
        dotenv.chmod(mode)
        try:
            load_settings()
        except ConfigurationError as problem:
            assert (problem.exit_code, "a-secret" in str(problem)) == (78, False)
            return str(problem)
        return ""

    for mode in (0o620, 0o602, 0o666, 0o777):
        assert f"Other users can write the file {dotenv}" in loaded("FULLSCRIPT_SWEEP_DAYS=9\n", mode)
    assert loaded("FULLSCRIPT_SWEEP_DAYS=9\nFULLSCRIPT_PUBLISH_KEY=\n", 0o644) == ""
    for name in ("PUBLISH_KEY", "US_SND_CLIENT_SECRET", "CA_WEBHOOK_SIGNATURE_KEYS", "ON_FAILURE_URL", "ON_CHANGE_URL"):
        for mode in (0o640, 0o604):
            told = loaded(f"export FULLSCRIPT_{name}='a-secret'\n", mode)
            assert (
                told == f"The file {dotenv} holds FULLSCRIPT_{name}, and other users can read it: `chmod 600 {dotenv}`."
            )
    assert loaded("FULLSCRIPT_PUBLISH_KEY=a-secret\n", 0o400) == ""


def test_what_a_sandbox_on_this_machine_gave_out_is_no_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    dotenv, secret = tmp_path / ".env", "FULLSCRIPT_US_SND_CLIENT_SECRET"
    for name in (secret, "FULLSCRIPT_US_SND_API_URL"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    dotenv.touch(mode=0o644)
    dotenv.chmod(0o644)
    for host, refused in (("127.0.0.1:8766", False), ("api.example", True)):
        dotenv.write_text(f"{secret}=x\nFULLSCRIPT_US_SND_API_URL=http://{host}/us-snd/api\n")
        for name in (secret, "FULLSCRIPT_US_SND_API_URL"):
            monkeypatch.delenv(name, raising=False)
        if refused:
            with pytest.raises(ConfigurationError, match=secret):
                load_settings()
        else:
            assert load_settings().server("us-snd").client_secret == "x"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("which", [".env", "key"])
def test_a_file_of_another_user_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, which: str) -> None:
    path = tmp_path / which
    path.write_text("FULLSCRIPT_SWEEP_DAYS=9\n")
    path.chmod(0o600)
    os.chown(path, 12345, -1)
    if which == "key":
        monkeypatch.setenv("FULLSCRIPT_ENCRYPTION_KEY_FILE", str(path))
    with pytest.raises(ConfigurationError, match=rf"{path} belongs to 12345, .* `chown root {path}`"):
        load_settings()
