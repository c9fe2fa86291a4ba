-- Claims what waits: what comes late from now on makes rows of its own. Called by ledger.refresh.
update dirty_ranges set claimed = true where not claimed
