-- include: outbox

-- What deployment rules say. A deleted one stays as a tombstone: late news of it must not bring it back.
CREATE TABLE timetables (
    rule_id text CONSTRAINT timetables_pk PRIMARY KEY,
    organization_id text NOT NULL,
    environment_id text NOT NULL,
    version bigint NOT NULL,
    deleted boolean NOT NULL DEFAULT false,
    timetable jsonb NOT NULL,
    problem text NOT NULL DEFAULT '',
    changed_at timestamptz NOT NULL
);
CREATE INDEX timetables_environment ON timetables (environment_id);

CREATE TABLE gone_environments (
    environment_id text CONSTRAINT gone_environments_pk PRIMARY KEY,
    gone_at timestamptz NOT NULL
);

CREATE TABLE schedules (
    id text CONSTRAINT schedules_pk PRIMARY KEY,
    rule_id text NOT NULL,
    organization_id text NOT NULL,
    environment_id text NOT NULL,
    kind text NOT NULL,
    expression text NOT NULL,
    timezone text NOT NULL,
    since timestamptz NOT NULL,
    next_at timestamptz NOT NULL,
    reason text NOT NULL
);
CREATE INDEX schedules_due ON schedules (next_at);
CREATE INDEX schedules_environment ON schedules (environment_id);
CREATE INDEX schedules_rule ON schedules (rule_id);

-- One row per nominal time: what makes it take effect once.
CREATE TABLE firings (
    schedule_id text NOT NULL,
    nominal_at timestamptz NOT NULL,
    kind text NOT NULL,
    environment_id text NOT NULL,
    fired_at timestamptz NOT NULL,
    superseded_by text NOT NULL,
    reason text NOT NULL,
    CONSTRAINT firings_pk PRIMARY KEY (schedule_id, nominal_at)
);
CREATE INDEX firings_environment ON firings (environment_id, nominal_at DESC);
CREATE INDEX firings_age ON firings (fired_at);
