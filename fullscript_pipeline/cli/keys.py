"""`keys new`, `keys rotate`: make an encryption key, and put what is sealed under it.

What does not belong here: encrypting (`state.keyring`).
"""

import click

from fullscript_pipeline.cli.audited import recorded
from fullscript_pipeline.cli.say import data, talk
from fullscript_pipeline.counted import counted
from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.key_strength import new_key
from fullscript_pipeline.settings import encryption_keys, load_settings
from fullscript_pipeline.state import StateStore


@click.group(help="The encryption key.")
def keys() -> None:
    pass


@keys.command(help="Print a new key: random, 256 bits. It is stored nowhere; the settings say where to put it.")
def new() -> None:
    data(new_key())


@keys.command(help="Seal every stored token with the first key of FULLSCRIPT_ENCRYPTION_KEY (new,old).")
def rotate() -> None:
    settings = load_settings()
    listed = encryption_keys(settings.encryption_key)
    if not listed:
        raise ConfigurationError(
            "There is no encryption key: set FULLSCRIPT_ENCRYPTION_KEY to the new key, a comma and the former one."
        )
    if not settings.state_path.exists():
        raise ConfigurationError(f"There is no state store at {settings.state_path} yet: nothing to rotate.")
    with recorded(settings, "keys rotate") as record, StateStore(settings.state_path, settings.encryption_key) as store:
        record.rows = number = store.reseal(listed[0])
    talk(f"{counted(number, 'value')} sealed with the first of {counted(len(listed), 'key')}.")
    talk("What runs meanwhile (`ui`, the services) has the key it was started with: start it again.")
    if settings.warehouse_path.exists() and len(listed) > 1:
        talk("Keep the list as it is: the warehouse and the landing files stay under its last key.")
