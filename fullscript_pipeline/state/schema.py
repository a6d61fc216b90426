"""The tables of the operational store, and the plain DDL that makes them.

Every row names its server: one vendor id may exist on two of them. Times are UTC text (ISO 8601), except where a
column ends in `_s`: seconds since 1970, for arithmetic in SQL. What does not belong here: queries.

A migration is never edited once released; a change is a new one at the end.
"""

from sqlalchemy import Column, Float, Integer, LargeBinary, MetaData, Table, Text

metadata = MetaData()

# status: ok, needs_connect (no working grant), removed (disconnected; the row keeps the clinic's key for a return)
clinics = Table(
    "clinics", metadata,
    Column("server", Text, primary_key=True), Column("clinic_id", Text, primary_key=True),
    Column("clinic_key", Text), Column("region", Text), Column("name", Text),
    Column("status", Text), Column("status_reason", Text), Column("connected_at", Text), Column("updated_at", Text),
)  # fmt: skip

# One row per user who connected; tokens are encrypted when there is a key. status: ok, dead, to_be_revoked (not used
# any more, but the server has not confirmed that it is revoked; status_reason says why)
grants = Table(
    "grants", metadata,
    Column("server", Text, primary_key=True), Column("clinic_id", Text, primary_key=True),
    Column("user_id", Text, primary_key=True),
    Column("user_type", Text), Column("scopes", Text), Column("patients_visible", Integer),
    Column("access_token", Text), Column("refresh_token", Text), Column("previous_refresh_token", Text),
    Column("obtained_at", Text), Column("expires_at", Text), Column("generation", Integer),
    Column("status", Text), Column("updated_at", Text), Column("status_reason", Text),
)  # fmt: skip

# A token call that failed on the server's side: `asked` is what its error may say (JSON), nothing secret.
token_failures = Table(
    "token_failures", metadata,
    Column("server", Text, primary_key=True), Column("clinic_id", Text, primary_key=True),
    Column("failed_s", Float), Column("asked", Text),
)  # fmt: skip

oauth_states = Table(
    "oauth_states", metadata,
    Column("state_hash", Text, primary_key=True), Column("server", Text),
    Column("created_s", Float), Column("used_s", Float),
)  # fmt: skip

# Permits to send, lent in blocks. A block counts against the window until counted_until_s.
request_leases = Table(
    "request_leases", metadata,
    Column("lease_id", Integer, primary_key=True), Column("server", Text), Column("app", Text), Column("lane", Text),
    Column("holder", Text), Column("permits", Integer), Column("granted_s", Float), Column("counted_until_s", Float),
)  # fmt: skip

# Processes that were refused a block and will try again: others leave them their share. Void after alive_until_s.
request_waiters = Table(
    "request_waiters", metadata,
    Column("server", Text, primary_key=True), Column("app", Text, primary_key=True),
    Column("lane", Text, primary_key=True), Column("holder", Text, primary_key=True), Column("alive_until_s", Float),
)  # fmt: skip

# A pause that the server requested (429 with Retry-After): no process sends before until_s.
request_holds = Table(
    "request_holds", metadata,
    Column("server", Text, primary_key=True), Column("app", Text, primary_key=True), Column("until_s", Float),
)  # fmt: skip

# "Not available to this clinic" (403 on a restricted endpoint, 404 on a whole list), remembered for a day.
availability = Table(
    "availability", metadata,
    Column("server", Text, primary_key=True), Column("clinic_id", Text, primary_key=True),
    Column("endpoint", Text, primary_key=True), Column("day", Text, primary_key=True), Column("reason", Text),
)  # fmt: skip

# The ledger: known events, the run that was requested to handle each, and when that was done. clinic_id '' = none.
# outcome: stored, gone, relisted, ignored (those have processed_at), unreadable (has none); NULL: still waits.
# next_try_at: by the machine's clock; NULL after a try: the daily pull tries next.
events = Table(
    "events", metadata,
    Column("server", Text, primary_key=True), Column("clinic_id", Text, primary_key=True),
    Column("event_id", Text, primary_key=True),
    Column("event_type", Text), Column("resource_id", Text), Column("created_at", Text),
    Column("seen_at", Text), Column("seen_by", Text), Column("asked_run", Text), Column("processed_at", Text),
    Column("feed", Text), Column("attempts", Integer), Column("last_try_at", Text), Column("next_try_at", Text),
    Column("outcome", Text), Column("reason", Text),
)  # fmt: skip

# Patients whose rows and pages must be rebuilt: added before the data is committed, deleted when the pages exist.
owed_patients = Table(
    "owed_patients", metadata,
    Column("server", Text, primary_key=True), Column("clinic_id", Text, primary_key=True),
    Column("patient_id", Text, primary_key=True),
)  # fmt: skip

# Lab orders whose state may still change, as last read; has_moved: a poll saw another state.
watched_labs = Table(
    "watched_labs", metadata,
    Column("server", Text, primary_key=True), Column("clinic_id", Text, primary_key=True),
    Column("lab_order_id", Text, primary_key=True), Column("state", Text), Column("has_moved", Integer),
)  # fmt: skip

cursors = Table(
    "cursors", metadata,
    Column("server", Text, primary_key=True), Column("clinic_id", Text, primary_key=True),
    Column("feed", Text, primary_key=True), Column("position", Text), Column("updated_at", Text),
)  # fmt: skip

# Deliveries in the order in which they came, the body byte for byte (sealed when there is a key). state: received,
# handled, ignored, failed. receipts: how often it was received; tries: how often handling was tried. integration_id and
# clinic_id '' = none.
webhook_inbox = Table(
    "webhook_inbox", metadata,
    Column("number", Integer, primary_key=True), Column("server", Text), Column("event_id", Text),
    Column("integration_id", Text), Column("clinic_id", Text), Column("event_type", Text), Column("created_at", Text),
    Column("body", LargeBinary), Column("headers", Text), Column("received_at", Text), Column("receipts", Integer),
    Column("state", Text), Column("state_reason", Text), Column("tries", Integer), Column("updated_at", Text),
)  # fmt: skip

# Messages about catalog digests, for each target (url, command); the body goes when it was received.
change_notices = Table(
    "change_notices", metadata,
    Column("number", Integer, primary_key=True), Column("notice_id", Text), Column("target", Text),
    Column("region", Text), Column("day", Text), Column("body", LargeBinary), Column("tries", Integer),
    Column("wait_until_s", Float), Column("received", Integer), Column("last_error", Text),
)  # fmt: skip

# Facts about this data directory: kind (sandbox or production), made_by_demo, ...
facts = Table("facts", metadata, Column("name", Text, primary_key=True), Column("value", Text))

# A chain of the audit log: the key that its entries are authenticated with, and its head (how many entries there are,
# and the last one's code); both sealed. The newest chain is the one that is continued.
audit_chains = Table(
    "audit_chains", metadata,
    Column("position", Integer, primary_key=True), Column("chain", Text), Column("sealed_key", Text),
    Column("sealed_head", Text),
)  # fmt: skip

# Who exported or removed what. entry: JSON text; code: its HMAC. Rows are only added.
audit_log = Table(
    "audit_log", metadata,
    Column("chain", Text, primary_key=True), Column("number", Integer, primary_key=True),
    Column("entry", Text), Column("code", Text),
)  # fmt: skip

# Purged people: keyed digests of their ids and of the ids of their objects; person: the digest of their own id.
purged_ids = Table(
    "purged_ids", metadata,
    Column("digest", Text, primary_key=True), Column("key_id", Text), Column("person", Text),
    Column("purged_at", Text),
)  # fmt: skip

# Patients off a clinic's call list until a day (who are on it again on that day); note: sealed, or NULL.
snoozes = Table(
    "snoozes", metadata,
    Column("server", Text, primary_key=True), Column("clinic_id", Text, primary_key=True),
    Column("patient_id", Text, primary_key=True), Column("until_on", Text), Column("note", Text),
)  # fmt: skip

# What a clinic has chosen for its pages (NULL: nothing), and the zone of the address that the API names.
clinic_choices = Table(
    "clinic_choices", metadata,
    Column("server", Text, primary_key=True), Column("clinic_id", Text, primary_key=True),
    Column("language", Text), Column("time_zone", Text), Column("address_time_zone", Text),
)  # fmt: skip

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE clinics (server TEXT NOT NULL, clinic_id TEXT NOT NULL, clinic_key TEXT NOT NULL UNIQUE,"
        " region TEXT NOT NULL, name TEXT, status TEXT NOT NULL, status_reason TEXT, connected_at TEXT NOT NULL,"
        " updated_at TEXT NOT NULL, PRIMARY KEY (server, clinic_id))",
        "CREATE TABLE grants (server TEXT NOT NULL, clinic_id TEXT NOT NULL, user_id TEXT NOT NULL,"
        " user_type TEXT NOT NULL, scopes TEXT NOT NULL, patients_visible INTEGER, access_token TEXT NOT NULL,"
        " refresh_token TEXT NOT NULL, previous_refresh_token TEXT, obtained_at TEXT NOT NULL,"
        " expires_at TEXT NOT NULL, generation INTEGER NOT NULL, status TEXT NOT NULL, updated_at TEXT NOT NULL,"
        " PRIMARY KEY (server, clinic_id, user_id))",
        "CREATE TABLE oauth_states (state_hash TEXT PRIMARY KEY, server TEXT NOT NULL, created_s REAL NOT NULL,"
        " used_s REAL)",
        "CREATE TABLE request_leases (lease_id INTEGER PRIMARY KEY AUTOINCREMENT, server TEXT NOT NULL,"
        " app TEXT NOT NULL, lane TEXT NOT NULL, holder TEXT NOT NULL, permits INTEGER NOT NULL,"
        " granted_s REAL NOT NULL, counted_until_s REAL NOT NULL)",
        "CREATE INDEX request_leases_by_end ON request_leases (server, app, counted_until_s)",
        "CREATE TABLE request_waiters (server TEXT NOT NULL, app TEXT NOT NULL, lane TEXT NOT NULL,"
        " holder TEXT NOT NULL, alive_until_s REAL NOT NULL, PRIMARY KEY (server, app, lane, holder))",
        "CREATE TABLE request_holds (server TEXT NOT NULL, app TEXT NOT NULL, until_s REAL NOT NULL,"
        " PRIMARY KEY (server, app))",
        "CREATE TABLE availability (server TEXT NOT NULL, clinic_id TEXT NOT NULL, endpoint TEXT NOT NULL,"
        " day TEXT NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (server, clinic_id, endpoint, day))",
        "CREATE TABLE events (server TEXT NOT NULL, clinic_id TEXT NOT NULL, event_id TEXT NOT NULL, event_type TEXT,"
        " resource_id TEXT, created_at TEXT, seen_at TEXT NOT NULL, seen_by TEXT NOT NULL, asked_run TEXT,"
        " processed_at TEXT, PRIMARY KEY (server, clinic_id, event_id))",
        "CREATE INDEX events_pending ON events (server, clinic_id) WHERE processed_at IS NULL",
        "CREATE TABLE cursors (server TEXT NOT NULL, clinic_id TEXT NOT NULL, feed TEXT NOT NULL,"
        " position TEXT NOT NULL, updated_at TEXT NOT NULL, PRIMARY KEY (server, clinic_id, feed))",
        "CREATE TABLE webhook_inbox (server TEXT NOT NULL, event_id TEXT NOT NULL, body BLOB NOT NULL,"
        " headers TEXT NOT NULL, received_at TEXT NOT NULL, state TEXT NOT NULL, state_reason TEXT,"
        " updated_at TEXT NOT NULL, PRIMARY KEY (server, event_id))",
        "CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    ),
    (
        "CREATE TABLE token_failures (server TEXT NOT NULL, clinic_id TEXT NOT NULL, failed_s REAL NOT NULL,"
        " asked TEXT NOT NULL, PRIMARY KEY (server, clinic_id))",
    ),
    (
        "ALTER TABLE events ADD COLUMN feed TEXT",
        "CREATE TABLE owed_patients (server TEXT NOT NULL, clinic_id TEXT NOT NULL, patient_id TEXT NOT NULL,"
        " PRIMARY KEY (server, clinic_id, patient_id))",
    ),
    (
        "ALTER TABLE webhook_inbox RENAME TO webhook_inbox_1",
        "CREATE TABLE webhook_inbox (number INTEGER PRIMARY KEY AUTOINCREMENT, server TEXT NOT NULL,"
        " event_id TEXT NOT NULL, integration_id TEXT NOT NULL, clinic_id TEXT NOT NULL, event_type TEXT,"
        " created_at TEXT, body BLOB NOT NULL, headers TEXT NOT NULL, received_at TEXT NOT NULL,"
        " receipts INTEGER NOT NULL, state TEXT NOT NULL, state_reason TEXT, tries INTEGER NOT NULL,"
        " updated_at TEXT NOT NULL, UNIQUE (server, event_id, integration_id))",
        "INSERT INTO webhook_inbox (server, event_id, integration_id, clinic_id, body, headers, received_at, receipts,"
        " state, state_reason, tries, updated_at) SELECT server, event_id, '', '', body, headers, received_at, 1,"
        " state, state_reason, 0, updated_at FROM webhook_inbox_1",
        "DROP TABLE webhook_inbox_1",
        "CREATE INDEX webhook_inbox_waiting ON webhook_inbox (state, number)",
    ),
    (
        "ALTER TABLE events ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE events ADD COLUMN last_try_at TEXT",
        "ALTER TABLE events ADD COLUMN next_try_at TEXT",
        "ALTER TABLE events ADD COLUMN outcome TEXT",
        "ALTER TABLE events ADD COLUMN reason TEXT",
        "DROP INDEX events_pending",
        "CREATE INDEX events_pending ON events (server, clinic_id) WHERE processed_at IS NULL AND outcome IS NULL",
    ),
    (
        "CREATE TABLE watched_labs (server TEXT NOT NULL, clinic_id TEXT NOT NULL, lab_order_id TEXT NOT NULL,"
        " state TEXT NOT NULL, has_moved INTEGER NOT NULL, PRIMARY KEY (server, clinic_id, lab_order_id))",
    ),
    ("ALTER TABLE grants ADD COLUMN status_reason TEXT",),
    (
        "CREATE TABLE audit_chains (position INTEGER PRIMARY KEY AUTOINCREMENT, chain TEXT NOT NULL UNIQUE,"
        " sealed_key TEXT NOT NULL, sealed_head TEXT NOT NULL)",
        "CREATE TABLE audit_log (chain TEXT NOT NULL, number INTEGER NOT NULL, entry TEXT NOT NULL, code TEXT NOT NULL,"
        " PRIMARY KEY (chain, number))",
    ),
    (
        "CREATE TABLE purged_ids (digest TEXT PRIMARY KEY, key_id TEXT NOT NULL, person TEXT NOT NULL,"
        " purged_at TEXT NOT NULL)",
        "CREATE INDEX purged_ids_by_person ON purged_ids (person)",
    ),
    (
        "CREATE TABLE snoozes (server TEXT NOT NULL, clinic_id TEXT NOT NULL, patient_id TEXT NOT NULL,"
        " until_on TEXT NOT NULL, note TEXT, PRIMARY KEY (server, clinic_id, patient_id))",
    ),
    (
        "CREATE TABLE clinic_choices (server TEXT NOT NULL, clinic_id TEXT NOT NULL, language TEXT, time_zone TEXT,"
        " address_time_zone TEXT, PRIMARY KEY (server, clinic_id))",
    ),
    (
        "CREATE TABLE change_notices (number INTEGER PRIMARY KEY AUTOINCREMENT, notice_id TEXT NOT NULL,"
        " target TEXT NOT NULL, region TEXT NOT NULL, day TEXT NOT NULL, body BLOB, tries INTEGER NOT NULL,"
        " wait_until_s REAL NOT NULL, received INTEGER NOT NULL, last_error TEXT, UNIQUE (notice_id, target))",
    ),
)
