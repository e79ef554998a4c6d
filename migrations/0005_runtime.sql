-- Runtime pods connected to the API, and what people ask of calls that run on them.

CREATE TABLE runtime_sessions (
    id               uuid        PRIMARY KEY,
    agency_id        uuid        NOT NULL,
    tenant_id        uuid        NOT NULL,
    -- <tenant namespace>/<Deployment name>
    pool             text        NOT NULL,
    pod_name         text        NOT NULL,
    pod_uid          text        NOT NULL,
    -- The API replica that holds the stream.
    api_replica      text        NOT NULL,
    slots            integer     NOT NULL CHECK (slots >= 0),
    busy             integer     NOT NULL DEFAULT 0 CHECK (busy >= 0),
    credentials_hash text        NOT NULL,
    version          text        NOT NULL,
    draining         boolean     NOT NULL DEFAULT false,
    opened_at        timestamptz NOT NULL DEFAULT now(),
    beat_at          timestamptz NOT NULL DEFAULT now(),
    closed_at        timestamptz,
    close_reason     text,

    CONSTRAINT runtime_sessions_tenant_fk FOREIGN KEY (agency_id, tenant_id) REFERENCES resources (agency_id, id)
);
-- A pod has one stream; a new one replaces the old.
CREATE UNIQUE INDEX runtime_sessions_pod_key ON runtime_sessions (pod_uid) WHERE closed_at IS NULL;
CREATE INDEX runtime_sessions_pool ON runtime_sessions (pool) WHERE closed_at IS NULL;

ALTER TABLE runtime_sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE runtime_sessions FORCE ROW LEVEL SECURITY;
CREATE POLICY runtime_sessions_scope ON runtime_sessions
    USING (voxplane_scope_sees(agency_id, tenant_id)) WITH CHECK (voxplane_scope_sees(agency_id, tenant_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON runtime_sessions TO voxplane_app;

CREATE TABLE call_commands (
    -- Chosen by who asks: asking twice is asking once.
    id          uuid        PRIMARY KEY,
    call_id     uuid        NOT NULL,
    agency_id   uuid        NOT NULL,
    tenant_id   uuid        NOT NULL,
    kind        text        NOT NULL,
    -- JSON, encrypted with the call's key.
    payload     bytea       NOT NULL,
    state       text        NOT NULL DEFAULT 'pending'
        CHECK (state IN ('pending', 'sent', 'done', 'failed', 'unknown_call', 'unsupported', 'expired')),
    -- The session it was sent on; it is sent again when the call gets another.
    session_id  uuid,
    message     text,
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    sent_at     timestamptz,
    finished_at timestamptz,

    CONSTRAINT call_commands_call_fk FOREIGN KEY (agency_id, tenant_id, call_id)
        REFERENCES calls (agency_id, tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT call_commands_finished CHECK ((finished_at IS NULL) = (state IN ('pending', 'sent')))
);
CREATE INDEX call_commands_open ON call_commands (call_id) WHERE finished_at IS NULL;

ALTER TABLE call_commands ENABLE ROW LEVEL SECURITY;
ALTER TABLE call_commands FORCE ROW LEVEL SECURITY;
CREATE POLICY call_commands_scope ON call_commands
    USING (voxplane_scope_sees(agency_id, tenant_id)) WITH CHECK (voxplane_scope_sees(agency_id, tenant_id));
GRANT SELECT, INSERT, UPDATE ON call_commands TO voxplane_app;
