"""Where the key may come from: a variable, a file, a command; never two of them, and never in an error."""

import os
import sys
from pathlib import Path

import pytest

from fullscript_pipeline.encryption import key_source
from fullscript_pipeline.encryption.key_source import read_key
from fullscript_pipeline.errors import ConfigurationError

NAME = "FULLSCRIPT_ENCRYPTION_KEY"
KEY = "Lw4tq0v9-eVb2m_xJ7Rz1cYd8KpH5sNu3gQa6TfWi0E="


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("FULLSCRIPT_")]:
        monkeypatch.delenv(name)
    key_source._printed_by.cache_clear()


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that notes each call with its environment and then does what the test writes into it."""
    path = tmp_path / "vault"
    monkeypatch.setenv(f"{NAME}_COMMAND", f"'{sys.executable}' -S {path} 'two words' $HOME")
    return path


def _does(program: Path, code: str) -> None:
    calls = f"{program}.calls"
    noting = f"open({calls!r}, 'a').write(repr((sys.argv[1:], dict(os.environ))) + chr(10))"
    program.write_text(f"import os, sys, time\n{noting}\n{code}\n")


def test_a_command_prints_the_key_once_a_process(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_US_CLIENT_SECRET", "an-app-secret")
    monkeypatch.setenv("FULLSCRIPT_PUBLISH_KEY", "an-analysts-key")
    monkeypatch.setenv("VAULT_TOKEN", "the-vaults-own")
    _does(program, f"print({KEY!r}); print('a second line')")
    assert [read_key(NAME), read_key(NAME)] == [KEY, KEY]
    (call,) = Path(f"{program}.calls").read_text().splitlines()
    assert "['two words', '$HOME']" in call  # no shell has read it
    assert "the-vaults-own" in call
    assert "an-app-secret" not in call
    assert "an-analysts-key" not in call


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (f"print({KEY!r}); sys.exit(3)", "ended with 3"),
        ("pass", "printed no key"),
        (f"print(); print({KEY!r})", "printed no key"),
        (f"print({KEY!r} * 1000)", "more than 16,384 bytes"),
        ("while True: print('y')", "more than 16,384 bytes"),
        ("sys.stdout.buffer.write(bytes([255, 254]))", "not text"),
        (f"print({KEY!r}, flush=True); time.sleep(60)", "did not end within"),
        (f"print({KEY!r}, flush=True); os.close(1); time.sleep(60)", "did not end within"),
    ],
)
def test_a_command_that_fails_is_a_sentence_without_what_it_printed(
    program: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], code: str, told: str
) -> None:
    if "sleep" in code:
        monkeypatch.setattr(key_source, "COMMAND_SECONDS", 0.5)
    _does(program, f"print({KEY!r}, file=sys.stderr)\n{code}")
    with pytest.raises(ConfigurationError, match=told) as caught:
        read_key(NAME)
    assert caught.value.exit_code == 78
    assert f"{NAME}_COMMAND" in str(caught.value)
    assert KEY not in str(caught.value)
    assert KEY not in "".join(capfd.readouterr())


@pytest.mark.parametrize("command", ["/no/such/vault", "'unclosed", ".", "''"])
def test_a_command_that_cannot_be_started_is_a_sentence(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setenv(f"{NAME}_COMMAND", command)
    with pytest.raises(ConfigurationError, match=f"{NAME}_COMMAND"):
        read_key(NAME)


def test_a_failure_is_not_remembered(program: Path) -> None:
    _does(program, "sys.exit(1)")
    with pytest.raises(ConfigurationError):
        read_key(NAME)
    _does(program, f"print({KEY!r})")
    assert read_key(NAME) == KEY


@pytest.mark.parametrize("names", [("", "_FILE"), ("", "_COMMAND"), ("_FILE", "_COMMAND"), ("", "_FILE", "_COMMAND")])
def test_two_sources_at_once_are_an_error(monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]) -> None:
    for suffix in names:
        monkeypatch.setenv(f"{NAME}{suffix}", KEY)
    with pytest.raises(ConfigurationError) as caught:
        read_key(NAME)
    assert all(f"{NAME}{suffix}" in str(caught.value) for suffix in names)
    assert KEY not in str(caught.value)
