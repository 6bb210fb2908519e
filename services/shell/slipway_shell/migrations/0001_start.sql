-- Who had a terminal where. A session is open while ended_at is null; seen_at is renewed by the gateway that holds it.

CREATE TABLE sessions (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL,
    project_id uuid NOT NULL,
    environment_id uuid NOT NULL,
    service_id uuid NOT NULL,
    cluster_id uuid NOT NULL,
    process text NOT NULL DEFAULT '',
    command text[] NOT NULL DEFAULT '{}',
    tty boolean NOT NULL,
    user_id text NOT NULL,
    user_name text NOT NULL,
    origin_address text NOT NULL DEFAULT '',
    recording text NOT NULL DEFAULT '',  -- path below the recordings directory
    opened_at timestamptz NOT NULL DEFAULT now(),
    seen_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    exit_code integer,
    reason text NOT NULL DEFAULT '',
    input_bytes bigint NOT NULL DEFAULT 0,
    output_bytes bigint NOT NULL DEFAULT 0
);
CREATE INDEX sessions_by_organization ON sessions (organization_id, opened_at DESC);
CREATE INDEX sessions_by_service ON sessions (service_id, opened_at DESC);
CREATE INDEX sessions_open ON sessions (seen_at) WHERE ended_at IS NULL;

-- include: outbox
