-- What others asked to be told of: cron jobs of services, one-shots. A removed one stays as a tombstone: late news of it
-- must not bring it back.
CREATE TABLE definitions (
    id text CONSTRAINT definitions_pk PRIMARY KEY,
    organization_id text NOT NULL,
    environment_id text NOT NULL,
    version bigint NOT NULL,
    deleted boolean NOT NULL DEFAULT false,
    problem text NOT NULL DEFAULT '',
    changed_at timestamptz NOT NULL
);
CREATE INDEX definitions_environment ON definitions (environment_id) WHERE environment_id <> '';

-- `next_at` is the nominal time, `due_at` when it fires: later by the jitter; none while a one-shot is paused.
ALTER TABLE schedules
    ADD COLUMN form text NOT NULL DEFAULT 'timetable',
    ADD COLUMN service_id text NOT NULL DEFAULT '',
    ADD COLUMN skipped text NOT NULL DEFAULT 'run',
    ADD COLUMN doubled text NOT NULL DEFAULT 'first',
    ADD COLUMN catch_up text NOT NULL DEFAULT 'once',
    ADD COLUMN overlap text NOT NULL DEFAULT 'allow',
    ADD COLUMN longest_run_seconds integer NOT NULL DEFAULT 3600,
    ADD COLUMN jitter_seconds integer NOT NULL DEFAULT 0,
    ADD COLUMN body jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN paused boolean NOT NULL DEFAULT false,
    ADD COLUMN paused_by text NOT NULL DEFAULT '',
    ADD COLUMN running_at timestamptz,
    ADD COLUMN running_until timestamptz,
    ADD COLUMN waiting_at timestamptz,
    ADD COLUMN due_at timestamptz;
UPDATE schedules SET due_at = next_at;
DROP INDEX schedules_due;
CREATE INDEX schedules_due ON schedules (due_at);

ALTER TABLE firings
    ADD COLUMN service_id text NOT NULL DEFAULT '',
    ADD COLUMN outcome text NOT NULL DEFAULT 'fired',
    ADD COLUMN owner text NOT NULL DEFAULT '',
    ADD COLUMN why text NOT NULL DEFAULT '';
UPDATE firings SET outcome = 'skipped' WHERE superseded_by <> '';
DROP INDEX firings_environment;
CREATE INDEX firings_environment ON firings (environment_id, nominal_at DESC) WHERE environment_id <> '';
-- compat: 2
