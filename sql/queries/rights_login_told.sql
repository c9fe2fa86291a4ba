-- Names a role and its password to rights_login, which cannot take values. Called by ledger.rights.
select set_config('finops.login_role', %(role)s, true), set_config('finops.login_password', %(password)s, true)
