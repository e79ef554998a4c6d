-- What every later migration relies on: who may do what, and how a transaction says on whose behalf it runs.
--
-- A transaction declares its scope with SET LOCAL:
--   voxplane.platform  = 'on'             every row (operator, sweeper, migrations of data)
--   voxplane.agency_id = A, tenant_id = T rows of tenant T of agency A
--   voxplane.agency_id = A, tenant_id = * rows of agency A and of all its tenants
-- Nothing declared: no rows.

-- Functions are executable by everybody unless this is said, once per owner.
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO voxplane_app, voxplane_jobs;

-- The services wait in readiness until the schema is at least as new as they are.
GRANT SELECT ON _sqlx_migrations TO voxplane_app, voxplane_jobs;

CREATE FUNCTION voxplane_scope_sees(agency uuid, tenant uuid) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN coalesce(
        current_setting('voxplane.platform', true) = 'on'
        OR (
            agency = nullif(current_setting('voxplane.agency_id', true), '')::uuid
            AND (
                current_setting('voxplane.tenant_id', true) = '*'
                OR tenant = nullif(nullif(current_setting('voxplane.tenant_id', true), ''), '*')::uuid
            )
        ),
        false
    );
COMMENT ON FUNCTION voxplane_scope_sees IS
    'The one row-level security rule: may the current scope see this owner''s row?';
GRANT EXECUTE ON FUNCTION voxplane_scope_sees TO voxplane_app, voxplane_jobs;
