-- Lets the role that rights_login_told named log in with its password. Called by ledger.rights.
do $$
begin
    execute format(
        'alter role %I login password %L', current_setting('finops.login_role'), current_setting('finops.login_password')
    );
end
$$
