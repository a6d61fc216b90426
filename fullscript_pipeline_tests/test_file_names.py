"""A name that is a device somewhere is no name of a file."""

import pytest

from fullscript_pipeline.file_names import is_device_name


@pytest.mark.parametrize("name", ["con", "CON", "nul.txt", "com1", "Lpt9.tar.gz", "aux."])
def test_a_device_with_or_without_a_suffix(name: str) -> None:
    assert is_device_name(name)


@pytest.mark.parametrize("name", ["conn", "con-clinic", "com10", "a.con", "", "console.txt"])
def test_a_plain_name(name: str) -> None:
    assert not is_device_name(name)
