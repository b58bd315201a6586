//! Version 1 of the format, which `migrate.rs` brings to the current one.

/// The tables of version 1. The check of a file compares them letter by letter, so they must not be reformatted.
pub(super) const TABLES: &str = "
    CREATE TABLE campaign (
        id TEXT NOT NULL, created INTEGER NOT NULL, tenant TEXT NOT NULL, api TEXT NOT NULL,
        scan_type TEXT NOT NULL, comment TEXT NOT NULL, columns TEXT NOT NULL,
        sum INTEGER NOT NULL GENERATED ALWAYS AS (\
            row_sum(id, created, tenant, api, scan_type, comment, columns)) STORED
    );
    CREATE TABLE target (
        n INTEGER PRIMARY KEY, line INTEGER NOT NULL, machine_id TEXT NOT NULL,
        scan_type TEXT, comment TEXT, priority INTEGER, extra TEXT NOT NULL,
        sum INTEGER NOT NULL GENERATED ALWAYS AS (\
            row_sum(n, line, machine_id, scan_type, comment, priority, extra)) STORED
    );
    CREATE INDEX target_order ON target (priority, n) WHERE priority IS NOT NULL;
    CREATE TABLE progress (
        n INTEGER PRIMARY KEY, outcome TEXT, left_out INTEGER NOT NULL DEFAULT 0,
        attempts INTEGER NOT NULL DEFAULT 0, tries INTEGER NOT NULL DEFAULT 0,
        pending_tries INTEGER NOT NULL DEFAULT 0, not_found INTEGER NOT NULL DEFAULT 0,
        not_before INTEGER, unsure_since INTEGER, unsure_by_server INTEGER NOT NULL DEFAULT 0, \
        first_sent INTEGER, last_answer INTEGER,
        http_status INTEGER, error_code TEXT NOT NULL DEFAULT '', message TEXT NOT NULL DEFAULT '',
        correlation_id TEXT NOT NULL DEFAULT '', action_id TEXT NOT NULL DEFAULT '',
        action_status TEXT NOT NULL DEFAULT '', action_created TEXT NOT NULL DEFAULT '',
        sum INTEGER NOT NULL GENERATED ALWAYS AS (row_sum(
            n, outcome, left_out, attempts, tries, pending_tries, not_found, not_before, unsure_since, unsure_by_server,
            first_sent, last_answer, http_status, error_code, message, correlation_id, action_id, action_status,
            action_created
        )) STORED
    );
    CREATE TABLE attempt (
        n INTEGER NOT NULL, number INTEGER NOT NULL, run INTEGER NOT NULL, sent INTEGER NOT NULL,
        sent_server INTEGER, ended INTEGER, verdict TEXT, http_status INTEGER, error_code TEXT,
        sum INTEGER NOT NULL GENERATED ALWAYS AS (
            row_sum(n, number, run, sent, sent_server, ended, verdict, http_status, error_code)
        ) STORED,
        PRIMARY KEY (n, number)
    ) WITHOUT ROWID;
    CREATE TABLE cancel (
        n INTEGER NOT NULL, number INTEGER NOT NULL, action_id TEXT NOT NULL, sent INTEGER NOT NULL, \
        ended INTEGER, result TEXT,
        sum INTEGER NOT NULL GENERATED ALWAYS AS (row_sum(n, number, action_id, sent, ended, result)) STORED,
        PRIMARY KEY (n, number)
    ) WITHOUT ROWID;
    CREATE TABLE orders (id INTEGER PRIMARY KEY, word TEXT NOT NULL, given INTEGER NOT NULL,
        sum INTEGER NOT NULL GENERATED ALWAYS AS (row_sum(id, word, given)) STORED
    );
    CREATE TABLE run (
        id INTEGER PRIMARY KEY, os_user TEXT NOT NULL, host TEXT NOT NULL, version TEXT NOT NULL,
        command TEXT NOT NULL, tenant TEXT NOT NULL, application TEXT NOT NULL,
        quota TEXT NOT NULL,
        started INTEGER NOT NULL, ended INTEGER, reason TEXT, results TEXT, excel INTEGER NOT NULL DEFAULT 0,
        sum INTEGER NOT NULL GENERATED ALWAYS AS (
            row_sum(id, os_user, host, version, command, tenant, application, quota, started, ended, \
            reason, results, excel)
        ) STORED
    );
";

/// The index on machine ids, which is created when it is first needed.
pub(super) const MACHINE_INDEX: &str =
    "CREATE INDEX IF NOT EXISTS target_machine ON target (lower(machine_id))";

/// Each table and its columns, without the sum.
pub(super) const CELLS: [(&str, &str); 7] = [
    (
        "target",
        "n, line, machine_id, scan_type, comment, priority, extra",
    ),
    (
        "progress",
        "n, outcome, left_out, attempts, tries, pending_tries, not_found, not_before, unsure_since,
         unsure_by_server, first_sent, last_answer, http_status, error_code,
         message, correlation_id, action_id, action_status, action_created",
    ),
    (
        "attempt",
        "n, number, run, sent, sent_server, ended, verdict, http_status, error_code",
    ),
    ("cancel", "n, number, action_id, sent, ended, result"),
    ("orders", "id, word, given"),
    (
        "run",
        "id, os_user, host, version, command, tenant, application, quota, started, ended, reason, results, excel",
    ),
    (
        "campaign",
        "id, created, tenant, api, scan_type, comment, columns",
    ),
];
