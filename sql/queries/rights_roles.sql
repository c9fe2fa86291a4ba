-- The roles of the services, where this session may make them; roles belong to the whole server. None can log in until
-- somebody lets it: `agent-finops up` does for its own server, elsewhere an operator makes logins that are members.
do $$
declare
    wanted text;
begin
    if (select rolsuper or rolcreaterole from pg_roles where rolname = current_user) then
        foreach wanted in array array['finops_collector', 'finops_api', 'finops_jobs', 'finops_reader'] loop
            begin
                if to_regrole(wanted) is null then
                    execute format('create role %I', wanted);
                end if;
            exception when duplicate_object or unique_violation then
                null;
            end;
        end loop;
    end if;
end
$$;
