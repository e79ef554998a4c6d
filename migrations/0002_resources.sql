-- Ids of Kubernetes objects. They outlive the objects: history refers to them, and an object that comes back under
-- the same kind, namespace and name gets its old id.

CREATE TABLE resources (
    id         uuid        PRIMARY KEY,
    kind       text        NOT NULL CHECK (kind IN ('Agency', 'Tenant', 'VoiceAgent', 'PhoneNumber', 'KnowledgeBase')),
    -- An Agency owns itself, a Tenant is its own tenant.
    agency_id  uuid        NOT NULL,
    tenant_id  uuid,
    -- Empty for cluster-scoped kinds.
    namespace  text        NOT NULL,
    name       text        NOT NULL,
    k8s_uid    text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    -- The object is gone from the cluster.
    deleted_at timestamptz,
    -- Its history is gone too: the name is free for a new id.
    purged_at  timestamptz,

    CONSTRAINT resources_owner_shape CHECK (
        CASE kind
            WHEN 'Agency' THEN agency_id = id AND tenant_id IS NULL
            WHEN 'Tenant' THEN tenant_id = id AND agency_id <> id
            ELSE tenant_id IS NOT NULL AND tenant_id <> id
        END
    ),
    -- Children refer to these, so that a row can never belong to another tenant than its parent.
    CONSTRAINT resources_agency_key UNIQUE (agency_id, id),
    CONSTRAINT resources_tenant_key UNIQUE (agency_id, tenant_id, id),
    CONSTRAINT resources_agency_fk FOREIGN KEY (agency_id) REFERENCES resources (id),
    CONSTRAINT resources_tenant_fk FOREIGN KEY (agency_id, tenant_id) REFERENCES resources (agency_id, id)
);
CREATE UNIQUE INDEX resources_name_key ON resources (kind, namespace, name) WHERE purged_at IS NULL;

ALTER TABLE resources ENABLE ROW LEVEL SECURITY;
ALTER TABLE resources FORCE ROW LEVEL SECURITY;
CREATE POLICY resources_scope ON resources
    USING (voxplane_scope_sees(agency_id, tenant_id)) WITH CHECK (voxplane_scope_sees(agency_id, tenant_id));
GRANT SELECT, INSERT, UPDATE ON resources TO voxplane_app;
