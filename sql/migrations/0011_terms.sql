-- Entries in little space: what repeats from call to call stays in detail, what does not gets a column of small numbers.
-- Entries written before keep the start of the call and their lines in detail; both forms are read.

select set_config(name, '0', true)
from pg_settings
where name = 'timescaledb.max_tuples_decompressed_per_dml_transaction';

alter table entries add column start_lag_us bigint;
comment on column entries.start_lag_us is
    'Microseconds from the start of the call, by which it is priced, to event_time; null: detail says it, or nothing '
    'was priced.';
comment on column entries.detail is
    'How the price was made: the rate of each kind of token (the lines follow from the counts; where they do not, the '
    'lines), match rule, tier, flags.';

alter table entries add column recorded_s bigint;
comment on column entries.recorded_s is 'When the entry was recorded, Unix seconds.';
update entries set recorded_s = floor(extract(epoch from recorded_at))::bigint;
alter table entries alter column recorded_s set default floor(extract(epoch from now()))::bigint;
alter table entries drop column recorded_at;
