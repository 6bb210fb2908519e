-- The delivery log: what came, what was decided, why. Written in batches, never on the way of a delivery.
CREATE TABLE deliveries (
    id uuid PRIMARY KEY,
    link_id text NOT NULL,
    organization_id text NOT NULL,
    service_id text NOT NULL DEFAULT '',
    delivery_id text NOT NULL DEFAULT '',
    provider text NOT NULL,
    event text NOT NULL DEFAULT '',
    verified boolean NOT NULL,
    outcome text NOT NULL,
    reason text NOT NULL DEFAULT '',
    status integer NOT NULL,
    repository text NOT NULL DEFAULT '',
    ref text NOT NULL DEFAULT '',
    after text NOT NULL DEFAULT '',
    bytes integer NOT NULL,
    milliseconds real NOT NULL,
    address text NOT NULL,
    received_at timestamptz NOT NULL
);

CREATE INDEX deliveries_of_organization ON deliveries (organization_id, id DESC);
CREATE INDEX deliveries_of_link ON deliveries (link_id, id DESC);
CREATE INDEX deliveries_by_time ON deliveries (received_at);
