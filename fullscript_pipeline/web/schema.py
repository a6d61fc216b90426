"""The tables of the portal's own store. Times end in `_s`: seconds since 1970.

Tokens, names of users and notes are sealed; ids of sessions and states are stored as hashes. What does not belong
here: queries.
"""

from sqlalchemy import Column, Float, Index, Integer, MetaData, Table, Text

from fullscript_pipeline.portal_store import TableSet

metadata = MetaData()
# A change of the tables raises the version; a file of a newer version is refused. Sign-ins last ten minutes.
TABLES = TableSet(
    metadata=metadata,
    version=3,
    upgrades={
        2: ("DROP TABLE sign_ins", "ALTER TABLE sessions ADD COLUMN invitation_id TEXT"),
        3: ("CREATE INDEX notes_by_patient ON notes (server, clinic_id, patient_id, kind)",),
    },
)

# A sign-in that was begun here: `browser_hash` binds it to the browser that began it, `purpose` says what it is for.
sign_ins = Table(
    "sign_ins", metadata, *(
        Column("state_hash", Text, primary_key=True), Column("browser_hash", Text), Column("server", Text),
        Column("purpose", Text), Column("invitation_id", Text), Column("begun_s", Float),
    ),
)  # fmt: skip

# `invitation_id`: with which the user of a clinic that is not connected came. `checked_s`: when Fullscript last
# confirmed that the user may still sign in.
sessions = Table(
    "sessions", metadata, *(
        Column("session_hash", Text, primary_key=True), Column("server", Text), Column("clinic_id", Text),
        Column("clinic_key", Text), Column("user_id", Text), Column("user_type", Text), Column("user_name", Text),
        Column("sees_everybody", Integer), Column("access_token", Text), Column("refresh_token", Text),
        Column("token_ends_s", Float), Column("opened_s", Float), Column("seen_s", Float), Column("checked_s", Float),
        Column("invitation_id", Text),
    ),
)  # fmt: skip

# The patients that Fullscript lists to the user of a session.
visible_patients = Table(
    "visible_patients", metadata, *(
        Column("session_hash", Text, primary_key=True), Column("patient_id", Text, primary_key=True),
    ),
)  # fmt: skip

# Tokens of closed sessions that Fullscript has not confirmed as revoked.
revocations = Table(
    "revocations", metadata, *(
        Column("token_hash", Text, primary_key=True), Column("server", Text), Column("token", Text),
        Column("since_s", Float),
    ),
)  # fmt: skip

# What the clinic's people noted of a patient; only added.
notes = Table(
    "notes", metadata, *(
        Column("note_id", Integer, primary_key=True), Column("server", Text), Column("clinic_id", Text),
        Column("patient_id", Text), Column("kind", Text), Column("until_on", Text), Column("text", Text),
        Column("author_id", Text), Column("author_name", Text), Column("at_s", Float),
        Index("notes_by_patient", *("server", "clinic_id", "patient_id", "kind")),
    ),
)  # fmt: skip

# Keys that the store has made for itself, sealed.
portal_keys = Table(
    "portal_keys", metadata, *(Column("name", Text, primary_key=True), Column("sealed_key", Text)),
)  # fmt: skip

# Who saw or did what. `code` is an HMAC over the entry and the code before it.
audit_log = Table(
    "audit_log", metadata, *(
        Column("number", Integer, primary_key=True), Column("entry", Text), Column("code", Text),
    ),
)  # fmt: skip
