-- Where the sums are continuous aggregates, they are only read.
grant select on usage_15m, usage_1d to finops_collector;
grant select on walled.usage_15m, walled.usage_1d to finops_api;
