-- Where the sums are tables, whoever adds entries adds to them, too.
grant select, insert, update on usage_15m, usage_1d to finops_collector, finops_api;
