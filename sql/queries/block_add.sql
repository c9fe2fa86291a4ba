-- Notes that a stretch has sums of its own; no row where it has them already. Called by ledger.blocks.
insert into blocks (starts, ends) values (%(starts)s, %(ends)s) on conflict do nothing
