-- Sessions that outlive a connection and a gateway, what kind they are, who may open one in which environments.

ALTER TABLE sessions
    ADD COLUMN kind text NOT NULL DEFAULT 'shell',  -- shell, ephemeral, forward
    ADD COLUMN port integer NOT NULL DEFAULT 0,     -- of a forward
    ADD COLUMN purpose text NOT NULL DEFAULT '',    -- why, in the user's words
    ADD COLUMN holder text NOT NULL DEFAULT '',     -- the gateway process that has it
    ADD COLUMN resume_hash bytea,                   -- SHA-256 of the secret with which a client comes back
    ADD COLUMN parts integer NOT NULL DEFAULT 1,    -- pieces of the recording, one per gateway
    ADD COLUMN end_wanted text NOT NULL DEFAULT ''; -- somebody wants it ended: why

-- What an organization asks for before a session in environments of a mode.
CREATE TABLE shell_rules (
    organization_id uuid NOT NULL,
    mode text NOT NULL,
    needs_reason boolean NOT NULL DEFAULT false,
    needs_approval boolean NOT NULL DEFAULT false,
    CONSTRAINT shell_rules_key PRIMARY KEY (organization_id, mode),
    CONSTRAINT shell_rules_mode CHECK (mode IN ('DEVELOPMENT', 'PREVIEW', 'PRODUCTION', 'STAGING'))
);

-- Somebody asks for sessions in a service; an admin says yes for a while, or no.
CREATE TABLE approvals (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL,
    service_id uuid NOT NULL,
    service_name text NOT NULL,
    user_id text NOT NULL,
    user_name text NOT NULL,
    purpose text NOT NULL DEFAULT '',
    state text NOT NULL DEFAULT 'pending',  -- pending, approved, denied
    decided_by text NOT NULL DEFAULT '',
    asked_at timestamptz NOT NULL,
    decided_at timestamptz,
    expires_at timestamptz NOT NULL,
    CONSTRAINT approvals_state CHECK (state IN ('pending', 'approved', 'denied'))
);
CREATE INDEX approvals_by_organization ON approvals (organization_id, asked_at DESC);
CREATE UNIQUE INDEX approvals_one_pending ON approvals (service_id, user_id) WHERE state = 'pending';
