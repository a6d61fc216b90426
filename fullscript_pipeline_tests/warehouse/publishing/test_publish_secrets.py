"""A copy's key and pepper are nobody's who could undo it: not missing, not the pipeline's, not to be guessed."""

import pytest

from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.settings import Settings, load_settings
from fullscript_pipeline.warehouse.publishing.publish_secrets import own_key, pepper

KEYS = {
    "FULLSCRIPT_PUBLISH_KEY": "x8Kp3Tn6Vq1Zr9Ws4Yd7Gf2Hj5Lc0BmUeAiOoRtMv",
    "FULLSCRIPT_ENCRYPTION_KEY": "new key,older key",
}
PEPPER = "Qm7vX2rT9wLk4Zp8sNd3Hf6Jc1Bg5Ya0UeRiOxKtVw"


def _settings(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Settings:
    for name, value in (KEYS | variables).items():
        monkeypatch.setenv(name, value)
    return load_settings()


@pytest.mark.parametrize("key", ["", "new key", "older key"])
def test_a_key_that_is_missing_or_the_pipelines_is_refused(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    with pytest.raises(ConfigurationError, match=r"FULLSCRIPT_PUBLISH_KEY.*keys new"):
        own_key(_settings(monkeypatch, FULLSCRIPT_PUBLISH_KEY=key), "pseudonymised")


def test_another_key_is_the_one_to_hand_out(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    assert own_key(_settings(monkeypatch), "pseudonymised") == KEYS["FULLSCRIPT_PUBLISH_KEY"]
    assert caplog.text == ""


def test_a_key_that_can_be_guessed_is_reported_and_refused_for_real_patients(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    weak = {"FULLSCRIPT_PUBLISH_KEY": "analysts 2026"}
    assert own_key(_settings(monkeypatch, **weak), "deidentified") == "analysts 2026"
    assert "can be guessed" in caplog.text and "analysts" not in caplog.text
    with pytest.raises(ConfigurationError, match="can be guessed"):
        own_key(_settings(monkeypatch, FULLSCRIPT_CA_CLIENT_ID="app", **weak), "deidentified")


@pytest.mark.parametrize(
    "given", [KEYS["FULLSCRIPT_PUBLISH_KEY"], "older key, and more characters than that", "w key,older key"]
)
def test_a_pepper_that_holds_a_key_is_refused(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    with pytest.raises(ConfigurationError, match="is, or holds, a key") as refused:
        pepper(_settings(monkeypatch, FULLSCRIPT_PUBLISH_PEPPER=given), lasting=False)
    assert given not in str(refused.value)


def test_a_pepper_that_can_be_guessed_is_reported_and_refused_for_real_patients(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    weak = {"FULLSCRIPT_PUBLISH_PEPPER": "salt and pepper"}
    assert len(pepper(_settings(monkeypatch, **weak), lasting=False)) == 64
    assert "can be guessed" in caplog.text and "salt and" not in caplog.text
    with pytest.raises(ConfigurationError, match="can be guessed"):
        pepper(_settings(monkeypatch, FULLSCRIPT_US_CLIENT_ID="app", **weak), lasting=False)


def test_a_pepper_lasts_or_is_of_one_copy(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    settings = _settings(monkeypatch)
    assert len({pepper(settings, lasting=False) for _ in range(3)}) == 3
    with pytest.raises(ConfigurationError, match="Shifted dates need FULLSCRIPT_PUBLISH_PEPPER"):
        pepper(settings, lasting=True)
    kept = _settings(monkeypatch, FULLSCRIPT_PUBLISH_PEPPER=PEPPER)
    assert pepper(kept, lasting=True) == pepper(kept, lasting=False) != PEPPER
    assert caplog.text == ""
