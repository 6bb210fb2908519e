-- What a platform has to do with others: invitations, logins at registries, Git hosts and clouds, domains, restrictions.

CREATE TABLE invitations (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    email text NOT NULL,
    role text NOT NULL,
    token_hash text NOT NULL,               -- who has no account yet proves with the token that the link reached them
    inviter_id uuid REFERENCES users ON DELETE CASCADE,
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX invitations_email ON invitations (organization_id, lower(email));

-- Container registries, Git tokens and cloud credentials differ in their fields only.
CREATE TABLE outside_accesses (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    sort text NOT NULL,                     -- registry, git_token, credentials
    kind text NOT NULL,                     -- DOCKER_HUB …, GITHUB …, aws …
    name text NOT NULL,
    config jsonb NOT NULL DEFAULT '{}',
    data_key_id uuid REFERENCES data_keys,
    ciphertext bytea,                       -- a JSON object of the secret fields, bound to this row
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX outside_accesses_name ON outside_accesses (organization_id, sort, lower(name));

CREATE TABLE cluster_locks (
    cluster_id uuid PRIMARY KEY REFERENCES clusters ON DELETE CASCADE,
    reason text NOT NULL,
    owner_name text NOT NULL,
    ttl_in_days integer,
    locked_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE custom_domains (
    id uuid PRIMARY KEY,
    service_id uuid NOT NULL REFERENCES services ON DELETE CASCADE,
    domain text NOT NULL,                   -- lower case
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT custom_domains_domain UNIQUE (domain)
);
CREATE INDEX custom_domains_service ON custom_domains (service_id);

-- Which paths of a commit make a push deploy.
CREATE TABLE deployment_restrictions (
    id uuid PRIMARY KEY,
    service_id uuid NOT NULL REFERENCES services ON DELETE CASCADE,
    mode text NOT NULL,                     -- MATCH, EXCLUDE
    type text NOT NULL,                     -- PATH
    value text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT deployment_restrictions_value UNIQUE (service_id, mode, type, value)
);

CREATE INDEX services_registry ON services ((config ->> 'registry_id')) WHERE config ? 'registry_id';
