-- What of some rights on relations the role has not got. Called by ledger.fitness.
select wanted.relation, wanted.privilege
from unnest(%(relations)s::text[], %(privileges)s::text[]) as wanted (relation, privilege)
where not has_table_privilege(wanted.relation, wanted.privilege)
order by wanted.relation, wanted.privilege
