"""`sandbox serve` as a new user meets it: what it prints goes into `.env` as it stands."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from fullscript_pipeline.cli.subprocesses import run_child
from fullscript_pipeline.settings import load_settings


@pytest.mark.timeout(60)
def test_what_it_prints_is_a_dotenv_that_points_at_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("FULLSCRIPT_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    command = [sys.executable, "-m", "fullscript_pipeline", "sandbox", "serve", "--port", "0", "--patients", "5"]
    with run_child(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        with process.stdout as stdout:
            printed = list(itertools.takewhile(lambda line: "REDIRECT_URI" not in line, stdout))
        (tmp_path / ".env").write_text("".join(printed))
        # setenv first, so that what the file sets is taken back at the end.
        for line in printed[1:]:
            monkeypatch.setenv(line.partition("=")[0], "")
            monkeypatch.delenv(line.partition("=")[0])
        settings = load_settings()
        assert printed[0].startswith("# sandbox ready http://127.0.0.1:")
        for name in ("us-snd", "ca-snd"):
            server = settings.require_app(name)
            assert (server.webhook_challenge_token, len(server.webhook_signature_keys)) != (None, 0)
            answer = httpx.get(f"{server.api_url}/clinic", trust_env=False)
            assert answer.status_code == 401, "it listens there, and wants a token"
