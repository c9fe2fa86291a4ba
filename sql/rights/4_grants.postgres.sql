-- Where the sums are tables, whoever adds entries adds to them, too; and the jobs, which sum up what is over, hold appends
-- off meanwhile. The collector may do that much of the jobs by itself.
grant select, insert, update on usage_15m, usage_1d, usage_blocks to finops_collector, finops_api;
grant select, insert, delete on blocks, usage_blocks to finops_collector;
grant select, update on block_calendars to finops_collector;
grant select on usage_15m, usage_1d to finops_jobs;
grant select, update on append_heads to finops_jobs;
