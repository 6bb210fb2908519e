-- How long steps took, what a release ran with, when nothing may be deployed, and who must agree.

-- The last runs of a service's steps, newest first: what the next one is likely to take.
CREATE TABLE step_durations (
    service_id uuid NOT NULL REFERENCES services ON DELETE CASCADE,
    kind text NOT NULL,
    seconds double precision[] NOT NULL,
    PRIMARY KEY (service_id, kind)
);

ALTER TABLE deployment_steps
    ADD COLUMN estimated_seconds double precision,     -- null: no such step of the service ever ended well
    ADD COLUMN snapshot bytea,                         -- the variables that it went out with, encrypted, bound to the step
    ADD COLUMN snapshot_key_id uuid REFERENCES data_keys;

ALTER TABLE releases
    ADD COLUMN step_id uuid,                           -- what the snapshot is bound to
    ADD COLUMN snapshot bytea,
    ADD COLUMN snapshot_key_id uuid REFERENCES data_keys;

ALTER TABLE deployments
    ADD COLUMN approval text NOT NULL DEFAULT '',      -- '' (none needed), WAITING, APPROVED, DENIED, EXPIRED
    ADD COLUMN approval_until timestamptz,
    ADD COLUMN approval_by text NOT NULL DEFAULT '',
    ADD COLUMN approval_comment text NOT NULL DEFAULT '';

CREATE TABLE approval_policies (
    environment_id uuid PRIMARY KEY REFERENCES environments ON DELETE CASCADE,
    config jsonb NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- Of an organization, one project, or one environment.
CREATE TABLE freezes (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    project_id uuid REFERENCES projects ON DELETE CASCADE,
    environment_id uuid REFERENCES environments ON DELETE CASCADE,
    name text NOT NULL,
    config jsonb NOT NULL,
    created_by text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT freezes_name UNIQUE NULLS NOT DISTINCT (organization_id, project_id, environment_id, name)
);
