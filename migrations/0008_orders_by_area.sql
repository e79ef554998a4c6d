-- Orders at carriers that pick the number themselves: such an order names an area, and the carrier keeps no mark of ours.
-- What the carrier's list of orders had before ours is stored before the order, so that afterwards the new one is ours.

ALTER TABLE number_orders
    -- The carrier's ids of the orders that were there before. NULL: orders name a number and carry our reference.
    ADD COLUMN baseline text[];

ALTER TABLE number_orders
    DROP CONSTRAINT number_orders_chosen,
    ADD CONSTRAINT number_orders_chosen CHECK (
        number IS NOT NULL OR state IN ('choosing', 'failed')
        OR (baseline IS NOT NULL AND state IN ('intended', 'ordering'))
    );

-- Of two orders without a mark nobody could tell which is whose: one at a time over a connection.
CREATE UNIQUE INDEX number_orders_baseline_key ON number_orders (agency_id, carrier)
    WHERE baseline IS NOT NULL AND carrier_order_id IS NULL AND state IN ('intended', 'ordering');
