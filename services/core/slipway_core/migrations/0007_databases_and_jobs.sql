-- What databases are reached with, what jobs leave behind, and the runs of cron jobs.

CREATE TABLE database_accesses (
    service_id uuid PRIMARY KEY REFERENCES services ON DELETE CASCADE,
    login text NOT NULL,
    database_name text NOT NULL,
    data_key_id uuid NOT NULL REFERENCES data_keys,
    ciphertext bytea NOT NULL,              -- the password, bound to the built-in variable that it is
    host text NOT NULL DEFAULT '',          -- where its cluster put it; empty before its first deployment
    port integer NOT NULL DEFAULT 0,
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE job_outputs (
    service_id uuid NOT NULL REFERENCES services ON DELETE CASCADE,
    name text NOT NULL,
    is_secret boolean NOT NULL,
    value text,
    ciphertext bytea,                       -- bound to the built-in variable that it becomes
    data_key_id uuid REFERENCES data_keys,
    description text NOT NULL DEFAULT '',
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (service_id, name)
);

-- The private half of the key that a task's outputs are sealed for; it goes with the task's last report.
CREATE TABLE reply_keys (
    task_id uuid PRIMARY KEY,
    service_id uuid NOT NULL REFERENCES services ON DELETE CASCADE,
    data_key_id uuid NOT NULL REFERENCES data_keys,
    ciphertext bytea NOT NULL
);

ALTER TABLE deployment_steps ADD COLUMN event text NOT NULL DEFAULT '';  -- jobs: what is run with it

-- Runs of jobs beside deployments: one at a time per job.
CREATE TABLE job_runs (
    id uuid PRIMARY KEY,                    -- also its task's
    service_id uuid NOT NULL REFERENCES services ON DELETE CASCADE,
    cluster_id uuid NOT NULL,
    event text NOT NULL,
    nominal_at timestamptz NOT NULL,
    state text NOT NULL,                    -- SENT, RUNNING, COMPLETED, ERROR, CANCELED, SKIPPED
    commit text NOT NULL DEFAULT '',
    message text NOT NULL DEFAULT '',
    code text NOT NULL DEFAULT '',
    details text NOT NULL DEFAULT '',
    fence bigint NOT NULL DEFAULT 0,
    delivery integer NOT NULL DEFAULT 0,
    sequence integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    started_at timestamptz,
    ended_at timestamptz,
    due_at timestamptz NOT NULL             -- when it has failed at the latest
);
CREATE UNIQUE INDEX job_runs_one ON job_runs (service_id) WHERE ended_at IS NULL;
CREATE INDEX job_runs_service ON job_runs (service_id, id DESC);
CREATE INDEX job_runs_due ON job_runs (due_at) WHERE ended_at IS NULL;
