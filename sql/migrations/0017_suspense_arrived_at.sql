-- What was refused in a period, and what of it is no longer kept, without reading all that ever was.
create index suspense_arrived_at on suspense using brin (arrived_at);
