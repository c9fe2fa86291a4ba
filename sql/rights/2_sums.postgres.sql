-- The wall around sums that are tables.
alter table usage_15m enable row level security;
alter table usage_1d enable row level security;
drop policy if exists wall on usage_15m;
drop policy if exists wall on usage_1d;
create policy wall on usage_15m using ((select walled_org()) is null or org_id = (select walled_org()));
create policy wall on usage_1d using ((select walled_org()) is null or org_id = (select walled_org()));
alter table usage_blocks enable row level security;
drop policy if exists wall on usage_blocks;
create policy wall on usage_blocks using ((select walled_org()) is null or org_id = (select walled_org()));
