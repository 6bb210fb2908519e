-- Identifiers are UUIDv7 made by core. `config` holds an entity's own fields as the public API names them.
-- Constraint names are the vocabulary of conflicts: stores turn them into faults.

CREATE TABLE users (
    id uuid PRIMARY KEY,
    email text NOT NULL,
    password_hash text NOT NULL DEFAULT '',
    revoked_before timestamptz,         -- logins from before are void
    ended_sessions jsonb NOT NULL DEFAULT '{}', -- login id → when it would have ended anyway
    config jsonb NOT NULL DEFAULT '{}',
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX users_email ON users (lower(email));

CREATE TABLE organizations (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    config jsonb NOT NULL DEFAULT '{}',
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE memberships (
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    role text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, user_id)
);
CREATE INDEX memberships_user ON memberships (user_id);

CREATE TABLE roles (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    name text NOT NULL,
    config jsonb NOT NULL DEFAULT '{}',
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX roles_name ON roles (organization_id, lower(name));

CREATE TABLE api_tokens (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    name text NOT NULL,
    description text NOT NULL DEFAULT '',
    role text NOT NULL,
    hash text NOT NULL,
    created_by uuid REFERENCES users ON DELETE SET NULL,
    expires_at timestamptz,
    last_used_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT api_tokens_hash UNIQUE (hash)
);
CREATE UNIQUE INDEX api_tokens_name ON api_tokens (organization_id, lower(name));

-- Key rotation makes a new row; rows say which key they were written with.
CREATE TABLE data_keys (
    id uuid PRIMARY KEY,
    organization_id uuid REFERENCES organizations ON DELETE CASCADE,
    wrapped bytea NOT NULL,
    retired_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX data_keys_current ON data_keys (organization_id) NULLS NOT DISTINCT WHERE retired_at IS NULL;

CREATE TABLE signing_keys (
    kid text PRIMARY KEY,
    data_key_id uuid NOT NULL REFERENCES data_keys,
    private_ciphertext bytea NOT NULL,
    public_pem text NOT NULL,
    retired_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE clusters (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    name text NOT NULL,
    kind text NOT NULL,                 -- LOCAL, SELF_MANAGED, MANAGED
    config jsonb NOT NULL DEFAULT '{}',
    public_key bytea,                   -- of the engine: what tasks' secrets are sealed for
    engine_version text NOT NULL DEFAULT '',
    engine_seen_at timestamptz,
    agent_version text NOT NULL DEFAULT '',
    agent_seen_at timestamptz,
    capabilities jsonb NOT NULL DEFAULT '[]',
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX clusters_name ON clusters (organization_id, lower(name));

CREATE TABLE projects (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE RESTRICT,
    name text NOT NULL,
    slug text NOT NULL,                 -- first half of `/git/<project>/<service>.git`
    config jsonb NOT NULL DEFAULT '{}',
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT projects_slug UNIQUE (slug)
);
CREATE UNIQUE INDEX projects_name ON projects (organization_id, lower(name));

CREATE TABLE environments (
    id uuid PRIMARY KEY,
    project_id uuid NOT NULL REFERENCES projects ON DELETE RESTRICT,
    cluster_id uuid NOT NULL REFERENCES clusters ON DELETE RESTRICT,
    name text NOT NULL,
    mode text NOT NULL,                 -- DEVELOPMENT, PREVIEW, STAGING, PRODUCTION
    config jsonb NOT NULL DEFAULT '{}',
    last_updated_by uuid,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX environments_name ON environments (project_id, lower(name));
CREATE INDEX environments_cluster ON environments (cluster_id);

CREATE TABLE deployment_stages (
    id uuid PRIMARY KEY,
    environment_id uuid NOT NULL REFERENCES environments ON DELETE CASCADE,
    name text NOT NULL,
    description text NOT NULL DEFAULT '',
    position integer NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT deployment_stages_position UNIQUE (environment_id, position) DEFERRABLE INITIALLY DEFERRED
);
CREATE UNIQUE INDEX deployment_stages_name ON deployment_stages (environment_id, lower(name));

-- One table for all kinds of service; what is a kind's own lies in config.
CREATE TABLE services (
    id uuid PRIMARY KEY,
    environment_id uuid NOT NULL REFERENCES environments ON DELETE RESTRICT,
    kind text NOT NULL,                 -- APPLICATION, CONTAINER, DATABASE, JOB
    name text NOT NULL,
    label text NOT NULL,                -- `<label>.<domain>`, allocated once
    stage_id uuid NOT NULL REFERENCES deployment_stages ON DELETE RESTRICT,
    is_skipped boolean NOT NULL DEFAULT false,
    config jsonb NOT NULL,
    advanced jsonb NOT NULL DEFAULT '{}',   -- advanced settings that differ from their defaults
    auto_deploy boolean NOT NULL DEFAULT true,
    version bigint NOT NULL DEFAULT 1,
    fence bigint NOT NULL DEFAULT 0,    -- grows with every task; written by orchestration alone
    created_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT services_label UNIQUE (label),
    CONSTRAINT services_label_form CHECK (label ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$')
);
CREATE UNIQUE INDEX services_name ON services (environment_id, lower(name));
CREATE INDEX services_stage ON services (stage_id);

-- A variable stands in one scope. Aliases and overrides name their target; a secret has ciphertext instead of a value.
CREATE TABLE variables (
    id uuid PRIMARY KEY,
    project_id uuid REFERENCES projects ON DELETE CASCADE,
    environment_id uuid REFERENCES environments ON DELETE CASCADE,
    service_id uuid REFERENCES services ON DELETE CASCADE,
    key text NOT NULL,
    type text NOT NULL,                 -- VALUE, ALIAS, OVERRIDE, FILE
    target_id uuid REFERENCES variables,
    target_key text,                    -- aliases and overrides: the key behind; built-in ones have no row
    is_secret boolean NOT NULL DEFAULT false,
    value text,
    ciphertext bytea,
    data_key_id uuid REFERENCES data_keys,
    mount_path text,
    description text NOT NULL DEFAULT '',
    enable_interpolation_in_file boolean,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT variables_scope CHECK (num_nonnulls(project_id, environment_id, service_id) = 1),
    CONSTRAINT variables_secret CHECK (NOT is_secret OR value IS NULL),
    CONSTRAINT variables_key UNIQUE NULLS NOT DISTINCT (project_id, environment_id, service_id, key)
);
CREATE INDEX variables_environment ON variables (environment_id) WHERE environment_id IS NOT NULL;
CREATE INDEX variables_service ON variables (service_id) WHERE service_id IS NOT NULL;
CREATE INDEX variables_target ON variables (target_id) WHERE target_id IS NOT NULL;

-- Webhook endpoints. The secret is kept for core by envelope, and goes sealed into the bucket `git-links`.
CREATE TABLE git_links (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    service_id uuid REFERENCES services ON DELETE CASCADE,
    provider text NOT NULL,             -- slipway, github, gitea, gitlab, bitbucket
    repository text NOT NULL,
    clone_url text NOT NULL,
    data_key_id uuid NOT NULL REFERENCES data_keys,
    secret_ciphertext bytea NOT NULL,
    previous_ciphertext bytea,          -- still taken while a new secret is put in place
    shown_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT git_links_service UNIQUE (service_id)
);
CREATE INDEX git_links_repository ON git_links (provider, lower(repository));
CREATE UNIQUE INDEX git_links_built_in ON git_links (repository) WHERE provider = 'slipway';

-- Rules of a project are ordered patterns; the one of an environment is its timetable.
CREATE TABLE deployment_rules (
    id uuid PRIMARY KEY,
    project_id uuid REFERENCES projects ON DELETE CASCADE,
    environment_id uuid REFERENCES environments ON DELETE CASCADE,
    position integer NOT NULL DEFAULT 0,
    name text NOT NULL DEFAULT '',
    config jsonb NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT deployment_rules_scope CHECK (num_nonnulls(project_id, environment_id) = 1),
    CONSTRAINT deployment_rules_environment UNIQUE (environment_id)
);
CREATE UNIQUE INDEX deployment_rules_name ON deployment_rules (project_id, lower(name));

CREATE TABLE audit_events (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL,
    project_id uuid,
    environment_id uuid,
    service_id uuid,
    event_type text NOT NULL,
    target_type text NOT NULL,
    target_id text NOT NULL,
    target_name text NOT NULL DEFAULT '',
    sub_target_type text,
    origin text NOT NULL,
    actor text NOT NULL,
    actor_id text NOT NULL DEFAULT '',
    address text NOT NULL DEFAULT '',
    user_agent text NOT NULL DEFAULT '',
    request_id text NOT NULL DEFAULT '',
    before jsonb,
    after jsonb,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX audit_events_organization ON audit_events (organization_id, id DESC);
CREATE INDEX audit_events_target ON audit_events (target_id, id DESC);

CREATE TABLE idempotency (
    principal_id text NOT NULL,
    key text NOT NULL,
    fingerprint text NOT NULL,          -- method, path and body: the same key with other contents is refused
    status integer,
    answer bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (principal_id, key)
);

-- What must be copied into a bucket: a row is work to do, the value is read from the tables when it is done.
CREATE TABLE copies (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    bucket text NOT NULL,
    key text NOT NULL
);

-- include: outbox
