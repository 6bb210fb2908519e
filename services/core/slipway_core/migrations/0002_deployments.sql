-- Deployments: what was asked for, its steps, what came of it. Written by orchestration alone.

CREATE TABLE deployments (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL,
    project_id uuid NOT NULL,
    environment_id uuid NOT NULL REFERENCES environments ON DELETE CASCADE,
    cluster_id uuid NOT NULL,
    number integer NOT NULL,                -- counts per environment
    action text NOT NULL,                   -- DEPLOY, RESTART, STOP, START, DELETE
    status text NOT NULL,                   -- StateEnum; machine.py says what may follow what
    reason text NOT NULL DEFAULT '',
    cancel text NOT NULL DEFAULT '',        -- '', safe, forced
    trigger text NOT NULL,                  -- manual, push, schedule, rollback
    principal_id text NOT NULL DEFAULT '',
    triggered_by text NOT NULL DEFAULT '',
    origin text NOT NULL DEFAULT '',
    request jsonb NOT NULL,
    commits jsonb NOT NULL DEFAULT '{}',    -- service id → commit
    version bigint NOT NULL DEFAULT 1,
    status_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    started_at timestamptz,
    ended_at timestamptz,
    due_at timestamptz,                     -- when the clock must look at it again
    CONSTRAINT deployments_number UNIQUE (environment_id, number)
);
CREATE UNIQUE INDEX deployments_one_running ON deployments (environment_id)
    WHERE started_at IS NOT NULL AND ended_at IS NULL;
CREATE INDEX deployments_open ON deployments (environment_id, number) WHERE ended_at IS NULL;
CREATE INDEX deployments_due ON deployments (due_at) WHERE ended_at IS NULL;

-- A step and its task are one row: a report changes one row.
CREATE TABLE deployment_steps (
    id uuid PRIMARY KEY,
    deployment_id uuid NOT NULL REFERENCES deployments ON DELETE CASCADE,
    position integer NOT NULL,
    service_id uuid,                        -- null: a step of the whole deployment (pre-check)
    service_name text NOT NULL DEFAULT '',
    service_kind text NOT NULL DEFAULT '',
    kind text NOT NULL,
    wave integer NOT NULL,                  -- waits for all smaller ones
    stage text NOT NULL,
    depends_on text[] NOT NULL DEFAULT '{}',
    state text NOT NULL,
    message text NOT NULL DEFAULT '',
    code text NOT NULL DEFAULT '',
    details text NOT NULL DEFAULT '',
    percent integer,
    commit text NOT NULL DEFAULT '',
    artifact text NOT NULL DEFAULT '',
    spec jsonb,                             -- ServiceSpec as it was planned
    variables jsonb NOT NULL DEFAULT '{}',  -- key → digest; never a value
    task_id uuid,
    fence bigint NOT NULL DEFAULT 0,
    delivery integer NOT NULL DEFAULT 0,    -- highest delivery that reported, and its highest sequence:
    sequence integer NOT NULL DEFAULT 0,    -- what is older has no effect
    cancel text NOT NULL DEFAULT '',
    cancel_at timestamptz,
    refused_at timestamptz,
    limit_seconds double precision NOT NULL,
    ready_at timestamptz,
    started_at timestamptz,
    ended_at timestamptz,
    metrics jsonb NOT NULL DEFAULT '[]',
    CONSTRAINT deployment_steps_position UNIQUE (deployment_id, position),
    CONSTRAINT deployment_steps_task UNIQUE (task_id)
);
CREATE INDEX deployment_steps_service ON deployment_steps (service_id, deployment_id);

-- Every successful deployment of a service: what can be gone back to.
CREATE TABLE releases (
    id uuid PRIMARY KEY,
    service_id uuid NOT NULL REFERENCES services ON DELETE CASCADE,
    deployment_id uuid NOT NULL,
    commit text NOT NULL DEFAULT '',
    artifact text NOT NULL DEFAULT '',
    spec jsonb NOT NULL,
    variables jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL
);
CREATE INDEX releases_service ON releases (service_id, id DESC);

-- What the last deployment did to a service, and which release its cluster holds.
CREATE TABLE service_states (
    service_id uuid PRIMARY KEY REFERENCES services ON DELETE CASCADE,
    environment_id uuid NOT NULL,
    state text NOT NULL,
    deployment_id uuid,
    release_id uuid REFERENCES releases ON DELETE SET NULL,
    running boolean NOT NULL DEFAULT false,
    changed_at timestamptz NOT NULL
);
CREATE INDEX service_states_environment ON service_states (environment_id);

-- What Git told: each delivery takes effect once, and the row says what was decided.
CREATE TABLE git_deliveries (
    link_id text NOT NULL,
    delivery_id text NOT NULL,
    organization_id uuid NOT NULL,
    repository text NOT NULL,
    ref text NOT NULL,
    before text NOT NULL,
    after text NOT NULL,
    decision text NOT NULL,                 -- deployed, followed, not_followed, deleted, older, repeated, skipped
    detail text NOT NULL DEFAULT '',
    deployment_ids text[] NOT NULL DEFAULT '{}',
    received_at timestamptz NOT NULL,
    handled_at timestamptz NOT NULL,
    PRIMARY KEY (link_id, delivery_id)
);
CREATE INDEX git_deliveries_ref ON git_deliveries (organization_id, repository, ref, handled_at DESC);

CREATE TABLE git_heads (
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    repository text NOT NULL,               -- host/path, lower case, without .git
    ref text NOT NULL,
    commit text NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, repository, ref)
);

CREATE TABLE git_commits (
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    repository text NOT NULL,
    id text NOT NULL,
    message text NOT NULL DEFAULT '',
    author_name text NOT NULL DEFAULT '',
    author_email text NOT NULL DEFAULT '',
    author_avatar_url text NOT NULL DEFAULT '',
    at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, repository, id)
);

-- (schedule, nominal time) takes effect once.
CREATE TABLE firings (
    schedule_id text NOT NULL,
    nominal_at timestamptz NOT NULL,
    deployment_id uuid,
    handled_at timestamptz NOT NULL,
    PRIMARY KEY (schedule_id, nominal_at)
);
