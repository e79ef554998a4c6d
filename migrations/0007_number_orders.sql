-- What was asked of carriers: one row per telephone number that a PhoneNumber has at a carrier that we can talk to.
-- The intent to buy is committed before the order, so that whatever crashes afterwards, the number is looked for before
-- anything is ordered again.

CREATE TABLE number_orders (
    -- Also our reference at the carrier: `voxplane:<id>`.
    id                uuid        PRIMARY KEY,
    agency_id         uuid        NOT NULL,
    tenant_id         uuid        NOT NULL,
    -- The PhoneNumber.
    resource_id       uuid        NOT NULL,
    -- Name of the agency's carrier connection.
    carrier           text        NOT NULL,
    -- What is looked for, as the PhoneNumber says it. NULL: the number is in the account already, nothing is bought.
    search            jsonb,
    -- E.164. NULL: not chosen yet.
    number            text        CHECK (number ~ '^\+[1-9][0-9]{6,14}$'),
    -- Numbers that turned out not to be for sale.
    tried             text[]      NOT NULL DEFAULT '{}',
    state             text        NOT NULL
        CHECK (state IN ('choosing', 'intended', 'ordering', 'ordered', 'routed', 'released', 'failed')),
    -- How often the chosen number was ordered. From the second time on an earlier order may have been carried out.
    attempts          integer     NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    attempted_at      timestamptz,
    -- What the carrier said to a repeated order; counts only when the number is not in the account.
    verdict           text        CHECK (verdict IN ('taken', 'refused')),
    -- The carrier's ids of the order and of the number.
    carrier_order_id  text,
    carrier_number_id text,
    -- The carrier's id of the trunk or connection that the number's calls go to.
    connection        text,
    -- What is in the way, how often in a row it was, and when to try again.
    problem_reason    text,
    problem           text,
    failures          integer     NOT NULL DEFAULT 0 CHECK (failures >= 0),
    retry_at          timestamptz,
    -- Every change adds one and names the value it has read: of two writers one is too late.
    fence             bigint      NOT NULL DEFAULT 1,
    -- The PhoneNumber was deleted and the number stayed in the account.
    kept_at           timestamptz,
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT number_orders_resource_fk FOREIGN KEY (agency_id, tenant_id, resource_id)
        REFERENCES resources (agency_id, tenant_id, id),
    CONSTRAINT number_orders_chosen CHECK (number IS NOT NULL OR state IN ('choosing', 'failed')),
    CONSTRAINT number_orders_owned CHECK (carrier_number_id IS NOT NULL OR state NOT IN ('ordered', 'routed')),
    CONSTRAINT number_orders_kept CHECK (kept_at IS NULL OR state IN ('ordered', 'routed'))
);
-- A PhoneNumber has one order at a time.
CREATE UNIQUE INDEX number_orders_current_key ON number_orders (resource_id)
    WHERE kept_at IS NULL AND state NOT IN ('released', 'failed');
-- Nobody orders what somebody else is ordering.
CREATE UNIQUE INDEX number_orders_number_key ON number_orders (number)
    WHERE search IS NOT NULL AND kept_at IS NULL AND state IN ('intended', 'ordering', 'ordered', 'routed');
CREATE INDEX number_orders_bought ON number_orders (agency_id, carrier)
    WHERE search IS NOT NULL AND state IN ('intended', 'ordering', 'ordered', 'routed');

ALTER TABLE number_orders ENABLE ROW LEVEL SECURITY;
ALTER TABLE number_orders FORCE ROW LEVEL SECURITY;
CREATE POLICY number_orders_scope ON number_orders
    USING (voxplane_scope_sees(agency_id, tenant_id)) WITH CHECK (voxplane_scope_sees(agency_id, tenant_id));
GRANT SELECT, INSERT, UPDATE ON number_orders TO voxplane_app;
