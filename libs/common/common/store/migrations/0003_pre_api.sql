-- The public API: keys with their rates, saved results of requests that are sent twice, the audit trail. Expand only.

CREATE TABLE api_keys (
    key_id        text PRIMARY KEY,
    owner         text NOT NULL,                 -- the first key of a rotation: what one made belongs to its followers too
    name          text NOT NULL,
    digest        bytea NOT NULL,                -- SHA-256 of the whole key; its secret has 256 bits
    scopes        text[] NOT NULL,
    bot_ids       bigint[],                      -- none: every bot
    per_second    real NOT NULL DEFAULT 20 CHECK (per_second > 0),
    burst         int NOT NULL DEFAULT 60 CHECK (burst > 0),
    created_at    timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz,
    revoked_at    timestamptz,
    last_used_at  timestamptz                    -- to the minute
);
CREATE INDEX api_keys_owner ON api_keys (owner);

-- A token bucket for each key, one row that all instances share; apart from api_keys, for it is written by every request.
CREATE TABLE api_buckets (
    key_id     text PRIMARY KEY REFERENCES api_keys,
    tokens     double precision NOT NULL,
    filled_at  timestamptz NOT NULL DEFAULT now(),
    allowed    boolean NOT NULL DEFAULT true     -- the last request's answer
) WITH (fillfactor = 50);

CREATE FUNCTION filled(tokens double precision, filled_at timestamptz, per_second real, burst int) RETURNS double precision
LANGUAGE sql STABLE AS $$
    SELECT least(burst, tokens + per_second * greatest(0, extract(epoch FROM now() - filled_at)::double precision))
$$;

-- The first answer to each Idempotency-Key, written with the effect in one transaction.
CREATE TABLE idempotent_results (
    owner       text NOT NULL,
    route       text NOT NULL,                   -- method and path
    key         text NOT NULL,
    body_hash   bytea NOT NULL,
    status      smallint NOT NULL,
    headers     jsonb NOT NULL,
    body        bytea NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (owner, route, key)
);
CREATE INDEX idempotent_results_created_at ON idempotent_results (created_at);

CREATE TABLE audit (
    audit_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at        timestamptz NOT NULL DEFAULT now(),
    actor     text NOT NULL,                     -- key:<owner>, cli:<user>
    action    text NOT NULL,
    object    text NOT NULL,
    before    jsonb,
    after     jsonb,
    bot_ids   bigint[],                          -- whom it concerns; none: the whole fleet
    ip        text,
    trace_id  text
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
