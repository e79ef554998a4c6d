-- Calls, who owns each of them, and the keys that make their personal data readable.

CREATE TABLE calls (
    -- uuidv7: newest last, and the month of its events follows from it.
    id               uuid        PRIMARY KEY CHECK (substr(id::text, 15, 1) = '7'),
    agency_id        uuid        NOT NULL,
    tenant_id        uuid        NOT NULL,
    agent_id         uuid        NOT NULL,
    direction        text        NOT NULL CHECK (direction IN ('inbound', 'outbound')),
    -- Encrypted with the call's key: E.164 number of ours, and of the other party (NULL: withheld).
    number           bytea       NOT NULL,
    caller           bytea,
    room             text        NOT NULL,
    sip_call_id      text,
    status           text        NOT NULL DEFAULT 'queued' CHECK (status IN (
        'queued', 'ringing', 'in_progress', 'completed', 'transferred', 'failed', 'no_answer', 'busy', 'cancelled',
        'rejected')),
    end_reason       text,

    -- The lease: (owner, epoch). Epoch 0 has no owner; every placement raises it.
    epoch            integer     NOT NULL DEFAULT 0 CHECK (epoch >= 0),
    owner_pool       text,
    owner_pod        text,
    owner_pod_uid    text,
    session_id       uuid,
    lease_expires_at timestamptz,

    created_at       timestamptz NOT NULL DEFAULT now(),
    admitted_at      timestamptz,
    answered_at      timestamptz,
    ended_at         timestamptz,
    -- An admitted call holds its slot until LiveKit no longer lists the room.
    slot_freed_at    timestamptz,

    CONSTRAINT calls_tenant_key UNIQUE (agency_id, tenant_id, id),
    CONSTRAINT calls_agent_fk FOREIGN KEY (agency_id, tenant_id, agent_id)
        REFERENCES resources (agency_id, tenant_id, id),
    CONSTRAINT calls_end_is_final CHECK (
        (ended_at IS NULL) = (status IN ('queued', 'ringing', 'in_progress'))
    )
);
CREATE UNIQUE INDEX calls_live_room_key ON calls (room) WHERE ended_at IS NULL;
CREATE UNIQUE INDEX calls_live_sip_call_id_key ON calls (sip_call_id) WHERE ended_at IS NULL;
CREATE INDEX calls_live ON calls (agency_id, tenant_id) WHERE ended_at IS NULL;
CREATE INDEX calls_slots ON calls (agency_id, tenant_id) WHERE admitted_at IS NOT NULL AND slot_freed_at IS NULL;
CREATE INDEX calls_session ON calls (session_id) WHERE ended_at IS NULL;
CREATE INDEX calls_agent ON calls (agent_id, id);

ALTER TABLE calls ENABLE ROW LEVEL SECURITY;
ALTER TABLE calls FORCE ROW LEVEL SECURITY;
CREATE POLICY calls_scope ON calls
    USING (voxplane_scope_sees(agency_id, tenant_id)) WITH CHECK (voxplane_scope_sees(agency_id, tenant_id));
GRANT SELECT, INSERT, UPDATE ON calls TO voxplane_app;

-- One AES-256 key per call, wrapped by the installation's data key. Erasing a call destroys its key.
CREATE TABLE call_keys (
    call_id      uuid        PRIMARY KEY,
    agency_id    uuid        NOT NULL,
    tenant_id    uuid        NOT NULL,
    wrapped      bytea,
    created_at   timestamptz NOT NULL DEFAULT now(),
    destroyed_at timestamptz,

    CONSTRAINT call_keys_call_fk FOREIGN KEY (agency_id, tenant_id, call_id)
        REFERENCES calls (agency_id, tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT call_keys_destroyed CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL))
);
ALTER TABLE call_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE call_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY call_keys_scope ON call_keys
    USING (voxplane_scope_sees(agency_id, tenant_id)) WITH CHECK (voxplane_scope_sees(agency_id, tenant_id));
GRANT SELECT, INSERT, UPDATE ON call_keys TO voxplane_app;
