-- The ledger. Epoch 0 is written by the API, every later epoch by the owner it was given to.

CREATE TABLE call_epochs (
    call_id    uuid        NOT NULL,
    epoch      integer     NOT NULL CHECK (epoch >= 0),
    agency_id  uuid        NOT NULL,
    tenant_id  uuid        NOT NULL,
    pool       text,
    pod        text,
    started_at timestamptz NOT NULL DEFAULT now(),
    -- Every event up to and including this one is stored. Also the row that appends to this epoch queue for.
    acked_seq  bigint      NOT NULL DEFAULT 0 CHECK (acked_seq >= 0),

    PRIMARY KEY (call_id, epoch),
    CONSTRAINT call_epochs_tenant_key UNIQUE (agency_id, tenant_id, call_id, epoch),
    CONSTRAINT call_epochs_call_fk FOREIGN KEY (agency_id, tenant_id, call_id)
        REFERENCES calls (agency_id, tenant_id, id) ON DELETE CASCADE
);
ALTER TABLE call_epochs ENABLE ROW LEVEL SECURITY;
ALTER TABLE call_epochs FORCE ROW LEVEL SECURITY;
CREATE POLICY call_epochs_scope ON call_epochs
    USING (voxplane_scope_sees(agency_id, tenant_id)) WITH CHECK (voxplane_scope_sees(agency_id, tenant_id));
GRANT SELECT, INSERT, UPDATE ON call_epochs TO voxplane_app;

CREATE TABLE call_events (
    call_id     uuid        NOT NULL,
    epoch       integer     NOT NULL,
    seq         bigint      NOT NULL CHECK (seq > 0),
    agency_id   uuid        NOT NULL,
    tenant_id   uuid        NOT NULL,
    -- The writer's wall clock, and its call clock in microseconds since it joined the room.
    at          timestamptz NOT NULL,
    call_us     bigint      NOT NULL,
    type        text        NOT NULL,
    durability  text        NOT NULL CHECK (durability IN ('before_effect', 'soon', 'best_effort')),
    -- JSON, encrypted with the call's key and bound to (call, epoch, seq).
    payload     bytea       NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),

    PRIMARY KEY (call_id, epoch, seq),
    CONSTRAINT call_events_epoch_fk FOREIGN KEY (agency_id, tenant_id, call_id, epoch)
        REFERENCES call_epochs (agency_id, tenant_id, call_id, epoch) ON DELETE CASCADE
) PARTITION BY RANGE (call_id);
ALTER TABLE call_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE call_events FORCE ROW LEVEL SECURITY;
CREATE POLICY call_events_scope ON call_events
    USING (voxplane_scope_sees(agency_id, tenant_id)) WITH CHECK (voxplane_scope_sees(agency_id, tenant_id));
GRANT SELECT, INSERT ON call_events TO voxplane_app;

-- The smallest uuidv7 of an instant: its first 48 bits are Unix milliseconds (RFC 9562, section 5.7).
CREATE FUNCTION voxplane_uuid_at(instant timestamptz) RETURNS uuid
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (lpad(to_hex((extract(epoch FROM instant) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid;

CREATE FUNCTION voxplane_uuid_time(id uuid) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN to_timestamp(('x0000' || left(replace(id::text, '-', ''), 12))::bit(64)::bigint / 1000.0);

-- Creates the partition of one month (UTC) if it is missing, and says whether it was. The partition has row-level
-- security without a policy and no grants: it can be reached only through the parent, under the parent's policy.
CREATE FUNCTION voxplane_create_event_partition(instant timestamptz) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    first_day timestamptz := date_trunc('month', instant, 'UTC');
    -- Not '+ 1 month': that would depend on the session's time zone.
    next_month timestamptz := date_trunc('month', first_day + interval '32 days', 'UTC');
    partition text := 'call_events_' || to_char(first_day AT TIME ZONE 'UTC', 'YYYY_MM');
BEGIN
    IF to_regclass('public.' || partition) IS NOT NULL THEN
        RETURN false;
    END IF;
    -- A second caller waits here and then finds the table.
    PERFORM pg_advisory_xact_lock(hashtextextended('voxplane.create_event_partition', 0));
    IF to_regclass('public.' || partition) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE public.%I PARTITION OF public.call_events FOR VALUES FROM (%L) TO (%L)', partition,
                   public.voxplane_uuid_at(first_day), public.voxplane_uuid_at(next_month));
    EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY', partition);
    EXECUTE format('ALTER TABLE public.%I FORCE ROW LEVEL SECURITY', partition);
    RETURN true;
END
$$;

-- Creates the partitions from last month to `months` ahead; returns how many were missing.
CREATE FUNCTION voxplane_create_event_partitions(months integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    created integer := 0;
BEGIN
    IF months NOT BETWEEN 0 AND 24 THEN
        RAISE EXCEPTION 'months is %: use 0 to 24', months USING ERRCODE = 'invalid_parameter_value';
    END IF;
    FOR ahead IN -1..months LOOP
        IF public.voxplane_create_event_partition(now() + make_interval(months => ahead)) THEN
            created := created + 1;
        END IF;
    END LOOP;
    RETURN created;
END
$$;

-- Makes sure the events of this call have a place, should nobody have created partitions ahead.
CREATE FUNCTION voxplane_ensure_event_partition(call uuid) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    -- The caller chooses the id, so its time is bounded: nobody can fill the catalogue with partitions.
    IF abs(extract(epoch FROM public.voxplane_uuid_time(call) - now())) > 40 * 86400 THEN
        RAISE EXCEPTION 'the call id is not of the present' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN public.voxplane_create_event_partition(public.voxplane_uuid_time(call));
END
$$;

GRANT EXECUTE ON FUNCTION voxplane_create_event_partitions, voxplane_ensure_event_partition
    TO voxplane_app, voxplane_jobs;
SELECT voxplane_create_event_partitions(3);
