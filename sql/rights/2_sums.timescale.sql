-- The wall around sums that are continuous aggregates: they inherit no row security, and none can be put on them. Blocks
-- are a table here, too.
create view walled.usage_15m as
select * from public.usage_15m
where (select walled_org()) is null or org_id = (select walled_org());
create view walled.usage_1d as
select * from public.usage_1d
where (select walled_org()) is null or org_id = (select walled_org());
alter table usage_blocks enable row level security;
drop policy if exists wall on usage_blocks;
create policy wall on usage_blocks using ((select walled_org()) is null or org_id = (select walled_org()));
