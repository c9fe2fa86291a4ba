-- Where the sums are tables, whoever adds entries adds to them, too; and the jobs, which sum up what is over, hold appends
-- off meanwhile.
grant select, insert, update on usage_15m, usage_1d, usage_blocks to finops_collector, finops_api;
grant select on usage_15m, usage_1d to finops_jobs;
grant select, update on append_heads to finops_jobs;
