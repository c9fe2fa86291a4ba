-- Remembers since when entries are kept; it never moves back. Called by ledger.retention.
update storage_progress
set entries_since = %(edge)s
where entries_since is null or entries_since < %(edge)s
