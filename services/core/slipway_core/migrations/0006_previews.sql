-- What Git providers are told (commit statuses, the one comment of a pull request), previews of pull requests, and how
-- long environments live.

-- A row is what should stand at the provider now; `version` grows with every change, `sent_version` is what is there.
CREATE TABLE git_notices (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    sort text NOT NULL,                     -- status, comment
    key text NOT NULL,                      -- a status: service and commit; a comment: the preview
    service_id uuid,                        -- whose status it is; services go before their last word is sent
    git jsonb NOT NULL,                     -- the repository as a service names it: provider, url, owner, name, token
    body jsonb NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    sent_version bigint NOT NULL DEFAULT 0,
    attempts integer NOT NULL DEFAULT 0,
    due_at timestamptz,                     -- null: sent, or given up (then `problem` says why)
    leased_until timestamptz,
    problem text NOT NULL DEFAULT '',
    sent_at timestamptz,
    updated_at timestamptz NOT NULL,
    CONSTRAINT git_notices_key UNIQUE (sort, key)
);
CREATE INDEX git_notices_due ON git_notices (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX git_notices_service ON git_notices (service_id, updated_at DESC) WHERE service_id IS NOT NULL;

-- One row per blueprint environment and pull request. A preview is an environment with such a row.
CREATE TABLE previews (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    project_id uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    blueprint_id uuid REFERENCES environments ON DELETE SET NULL,
    blueprint_name text NOT NULL,
    environment_id uuid REFERENCES environments ON DELETE SET NULL,
    git jsonb NOT NULL,                     -- the repository as the blueprint's service names it
    repository text NOT NULL,               -- host/path, lower case, without .git
    number integer NOT NULL,
    title text NOT NULL DEFAULT '',
    url text NOT NULL DEFAULT '',
    author text NOT NULL DEFAULT '',
    source_branch text NOT NULL,
    source_url text NOT NULL,
    from_fork boolean NOT NULL,
    target_branch text NOT NULL,
    head text NOT NULL,
    head_at timestamptz NOT NULL,           -- since when it is the head, as far as we know
    is_open boolean NOT NULL,
    deployed_head text NOT NULL DEFAULT '', -- what was last asked to be deployed
    state text NOT NULL,                    -- NEW, WAITING, ACTIVE, CLOSING, CLOSED, DISMISSED
    dismissed text NOT NULL DEFAULT '',     -- hand, age: why an open pull request has no environment
    reason text NOT NULL DEFAULT '',
    demanded_by text NOT NULL DEFAULT '',   -- who asked for it in a comment; empty: made by itself
    approved_head text NOT NULL DEFAULT '', -- of a fork: the one commit that may be built
    approved_by text NOT NULL DEFAULT '',
    known_at timestamptz NOT NULL,          -- when the provider said how the pull request stands
    due_at timestamptz,                     -- when to look again
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    closed_at timestamptz,
    CONSTRAINT previews_request UNIQUE (blueprint_id, repository, number)
);
CREATE INDEX previews_project ON previews (project_id, id DESC);
CREATE INDEX previews_environment ON previews (environment_id) WHERE environment_id IS NOT NULL;
CREATE INDEX previews_repository ON previews (organization_id, repository, number);
CREATE INDEX previews_due ON previews (due_at) WHERE due_at IS NOT NULL;

-- When an environment is warned of, stopped, deleted. The scheduler is told; `put_version` is what it knows.
CREATE TABLE environment_lifetimes (
    environment_id uuid PRIMARY KEY REFERENCES environments ON DELETE CASCADE,
    organization_id uuid NOT NULL,
    is_preview boolean NOT NULL,
    warn_at timestamptz,
    stop_at timestamptz,
    delete_at timestamptz,
    warned_at timestamptz,
    stopped_at timestamptz,
    version bigint NOT NULL,
    put_version bigint NOT NULL DEFAULT 0,
    updated_at timestamptz NOT NULL
);
CREATE INDEX environment_lifetimes_unput ON environment_lifetimes (updated_at) WHERE put_version < version;

-- When a repository's pull requests and webhook were last held against what its provider says.
CREATE TABLE git_checks (
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    repository text NOT NULL,
    checked_at timestamptz NOT NULL,
    problem text NOT NULL DEFAULT '',
    PRIMARY KEY (organization_id, repository)
);
