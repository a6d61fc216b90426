"""The tables of the queue of requests. Times end in `_s`: seconds since 1970. What does not belong here: queries."""

from sqlalchemy import Column, Float, MetaData, Table, Text

metadata = MetaData()

requests = Table(
    "requests", metadata, *(
        Column("request_id", Text, primary_key=True), Column("kind", Text), Column("server", Text),
        Column("clinic_id", Text), Column("patient_id", Text), Column("invitation_id", Text),
        Column("sealed_code", Text), Column("state", Text), Column("sentence", Text), Column("asked_s", Float),
        Column("changed_s", Float),
    ),
)  # fmt: skip

# Invitations with which a clinic was connected, or is being connected.
used_invitations = Table(
    "used_invitations", metadata, *(Column("invitation_id", Text, primary_key=True), Column("used_s", Float)),
)  # fmt: skip
