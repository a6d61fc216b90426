"""A code opens one session, in time, for the server whose key it was made with; nothing else opens any."""

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullscript_pipeline.errors import ConfigurationError, ServiceUnavailable
from fullscript_pipeline.ui_access import SignIns, make_code, new_key, read_key
from fullscript_pipeline.ui_access.sign_in import CODE_SECONDS

KEY = bytes(range(32))
NOW = 1_800_000_000.0


def signs(now: float = NOW) -> SignIns:
    return SignIns(KEY, lambda: now)


def test_a_code_opens_one_session() -> None:
    sign_ins, code = signs(), make_code(KEY, NOW)
    session = sign_ins.redeem(code)
    assert sign_ins.is_open(session)
    assert sign_ins.redeem(code) is None
    assert not sign_ins.is_open(None) and not sign_ins.is_open(code) and not sign_ins.is_open("")


@pytest.mark.parametrize(
    ("after", "opens"), [(0, True), (CODE_SECONDS, True), (CODE_SECONDS + 1, False), (10**6, False)]
)
def test_a_code_is_good_for_ten_minutes(after: int, opens: bool) -> None:
    assert (signs(NOW + after).redeem(make_code(KEY, NOW)) is not None) is opens


def test_a_new_start_forgets_sessions_and_codes(tmp_path: Path) -> None:
    path = tmp_path / "ui.key"
    before = new_key(path)
    sign_ins, code = SignIns(before), make_code(read_key(path))
    session = sign_ins.redeem(code)
    again = SignIns(new_key(path))
    assert again.redeem(make_code(before)) is None
    assert not again.is_open(session)
    assert before not in str(session).encode()


@given(st.binary(max_size=80))
def test_no_bytes_are_a_code(content: bytes) -> None:
    assert signs().redeem(base64.urlsafe_b64encode(content).decode()) is None


@given(st.text(max_size=80))
def test_no_text_is_a_code(text: str) -> None:
    assert signs().redeem(text) is None


@given(st.integers(0, 55), st.integers(0, 7))
def test_a_code_with_a_flipped_bit_opens_nothing(place: int, bit: int) -> None:
    content = bytearray(base64.urlsafe_b64decode(make_code(KEY, NOW) + "=="))
    content[place] ^= 1 << bit
    assert signs().redeem(base64.urlsafe_b64encode(content).decode()) is None


def test_the_key_is_its_users_own(tmp_path: Path) -> None:
    path = tmp_path / "ui.key"
    with pytest.raises(ServiceUnavailable, match="No UI runs"):
        read_key(path)
    path.write_bytes(b"planted by somebody else")
    new_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    with pytest.raises(ConfigurationError, match="start the UI again"):
        read_key(path)
