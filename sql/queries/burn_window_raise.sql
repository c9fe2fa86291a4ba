-- Raises the longest window anybody asks for, and says whether bounds have to be made again. Called by ledger.session_heads.
update burn_window set seconds = %(seconds)s where seconds < %(seconds)s
