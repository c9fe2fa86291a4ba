-- Which columns of packed entries have a filter a batch: the ones asked for by value. Where the server knows no such
-- setting, it chooses by itself from the indexes.
do $body$
begin
    alter table entries set (
        timescaledb.sparse_index = 'bloom(session_id), bloom(event_time, tenant, trace_id, span_id, revision)'
    );
exception
    when invalid_parameter_value or syntax_error then null;
end
$body$;
