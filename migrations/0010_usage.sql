SELECT set_config('voxplane.platform', 'on', true);

-- Minutes of conversation per tenant and calendar month (UTC): what quotas of minutes are checked against at every
-- call, without reading a month of calls. A call counts in the month in which it was answered, from its end on; one that
-- was refused in words does not count.
CREATE TABLE usage_months (
    agency_id uuid   NOT NULL,
    tenant_id uuid   NOT NULL,
    -- The month's first day.
    month     date   NOT NULL CHECK (extract(day FROM month) = 1),
    seconds   bigint NOT NULL DEFAULT 0 CHECK (seconds >= 0),
    PRIMARY KEY (agency_id, tenant_id, month)
);
ALTER TABLE usage_months ENABLE ROW LEVEL SECURITY;
ALTER TABLE usage_months FORCE ROW LEVEL SECURITY;
CREATE POLICY usage_months_scope ON usage_months
    USING (voxplane_scope_sees(agency_id, tenant_id)) WITH CHECK (voxplane_scope_sees(agency_id, tenant_id));
GRANT SELECT, INSERT, UPDATE ON usage_months TO voxplane_app;

-- An agent's calls of the last hour are those with ids from then on.
GRANT EXECUTE ON FUNCTION voxplane_uuid_at TO voxplane_app;

-- Calls that ended before this table was there. Those that a service of the former release ends while both run are not
-- counted.
INSERT INTO usage_months (agency_id, tenant_id, month, seconds)
SELECT agency_id, tenant_id, date_trunc('month', answered_at, 'UTC') AT TIME ZONE 'UTC',
       sum(ceil(extract(epoch FROM greatest(ended_at - answered_at, interval '0'))))
FROM calls
WHERE answered_at IS NOT NULL AND ended_at IS NOT NULL AND admitted_at IS NOT NULL AND status NOT IN ('busy', 'rejected')
GROUP BY 1, 2, 3;

-- Last, because it keeps others from registering resources until the end of this migration.
ALTER TABLE usage_months ADD CONSTRAINT usage_months_tenant_fk
    FOREIGN KEY (agency_id, tenant_id) REFERENCES resources (agency_id, id);
