-- Two replicas that made the same partition at once: `to_regclass` answers from what this session remembers of the
-- catalogue, and waiting for an advisory lock does not refresh that. The second one did not see the first one's table
-- and failed. A query sees what was committed before it began.
CREATE OR REPLACE FUNCTION voxplane_create_event_partition(instant timestamptz) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    first_day timestamptz := date_trunc('month', instant, 'UTC');
    -- Not '+ 1 month': that would depend on the session's time zone.
    next_month timestamptz := date_trunc('month', first_day + interval '32 days', 'UTC');
    partition text := 'call_events_' || to_char(first_day AT TIME ZONE 'UTC', 'YYYY_MM');
BEGIN
    IF EXISTS (SELECT FROM pg_class WHERE relname = partition AND relnamespace = 'public'::regnamespace) THEN
        RETURN false;
    END IF;
    -- A second caller waits here and then finds the table.
    PERFORM pg_advisory_xact_lock(hashtextextended('voxplane.create_event_partition', 0));
    IF EXISTS (SELECT FROM pg_class WHERE relname = partition AND relnamespace = 'public'::regnamespace) THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE public.%I PARTITION OF public.call_events FOR VALUES FROM (%L) TO (%L)', partition,
                   public.voxplane_uuid_at(first_day), public.voxplane_uuid_at(next_month));
    EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY', partition);
    EXECUTE format('ALTER TABLE public.%I FORCE ROW LEVEL SECURITY', partition);
    RETURN true;
END
$$;
