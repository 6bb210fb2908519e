-- Logins by OpenID Connect, and rotation of keys.

-- Somebody at an issuer is one user here, whatever their address becomes.
CREATE TABLE identities (
    issuer text NOT NULL,
    subject text NOT NULL,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    email text NOT NULL DEFAULT '',         -- as the issuer gave it when they were linked
    created_at timestamptz NOT NULL DEFAULT now(),
    last_login_at timestamptz,
    PRIMARY KEY (issuer, subject),
    CONSTRAINT identities_user UNIQUE (user_id, issuer)
);

-- A login that was begun: good once, for minutes, in the browser that began it. Nonce and verifier follow from that
-- browser's cookie, so nothing here helps to finish it.
CREATE TABLE login_attempts (
    state_hash text PRIMARY KEY,
    return_to text NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX login_attempts_expires ON login_attempts (expires_at);

-- Whether the address is known to be the person's: an account that an inviter made for an address is not.
ALTER TABLE users ADD COLUMN email_proven boolean NOT NULL DEFAULT false;

-- One row per change of all data keys; without an end it is taken up again.
CREATE TABLE key_rotations (
    id uuid PRIMARY KEY,
    started_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz
);
CREATE UNIQUE INDEX key_rotations_open ON key_rotations ((true)) WHERE ended_at IS NULL;

-- Rows by the data key that they were written with: rotation looks for them, and so does the removal of an old key.
CREATE INDEX variables_data_key ON variables (data_key_id) WHERE data_key_id IS NOT NULL;
CREATE INDEX git_links_data_key ON git_links (data_key_id);
CREATE INDEX outside_accesses_data_key ON outside_accesses (data_key_id) WHERE data_key_id IS NOT NULL;
CREATE INDEX deployment_steps_data_key ON deployment_steps (snapshot_key_id) WHERE snapshot_key_id IS NOT NULL;
CREATE INDEX releases_data_key ON releases (snapshot_key_id) WHERE snapshot_key_id IS NOT NULL;
