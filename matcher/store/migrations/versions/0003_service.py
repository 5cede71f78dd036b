"""Who may do what: accounts, keys and sessions; row-level security for the service's role; the pipeline; undo.

Every table is closed to the role `matcher_app`, under which the service works, but for what `POLICIES` opens. The
owner of the tables (command line, migrations) keeps the whole: its commands are audited under the user of the
operating system.
"""

# ruff: noqa: E501, S608 - tables read best in few lines; names come from the constants above

from alembic import op
from sqlalchemy import Connection

revision = "0003"
down_revision = "0002"

APP = "matcher_app"

FACT_KEYS = {
    "isic": "code", "city_sectors": "sector", "activity_tags": "tag", "terms": "term, lang", "countries": "country",
    "country_ties": "country, kind, name", "projects": "project_id", "partners": "partner_id", "deals": "deal_id",
    "footprint": "partner_id, country, what, evidence, deal_id", "missions": "mission_id",
    "accreditation": "mission_id, country", "localities": "locality, country, city_side", "fdi_facts": "fact_id",
    "activities": "activity_id", "investor_criteria": "criterion_id",
}  # fmt: skip

ROLE = f"""
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{APP}') THEN
        CREATE ROLE {APP} NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
    END IF;
    IF NOT pg_has_role(current_user, '{APP}', 'SET') THEN
        EXECUTE format('GRANT {APP} TO %%I', current_user);
    END IF;
    EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %%I TO {APP}', current_database());
    EXECUTE format('GRANT USAGE ON SCHEMA %%I TO {APP}', current_schema());
END $$;
"""

UNDO = """
CREATE TABLE undone (
    batch_id bigint PRIMARY KEY REFERENCES batch (id), undo_id bigint NOT NULL REFERENCES batch (id),
    recorded_at timestamptz NOT NULL
);
COMMENT ON TABLE undone IS 'batches whose rows count no more since the batch undo_id, which has no rows of its own';
"""

ACCOUNTS = """
CREATE TABLE account (
    account_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    login text NOT NULL CHECK (login <> ''), role text NOT NULL
        CHECK (role IN ('mission', 'officer', 'analyst', 'admin', 'service')),
    mission_id text, may_export boolean NOT NULL DEFAULT false, demo boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(), disabled_at timestamptz,
    CHECK ((role = 'mission') = (mission_id IS NOT NULL))
);
CREATE UNIQUE INDEX account_login ON account (lower(login));
COMMENT ON COLUMN account.login IS 'name of an office or a function, never of a person';

CREATE TABLE credential (
    account_id bigint PRIMARY KEY REFERENCES account (account_id), password_hash text NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON COLUMN credential.password_hash IS 'argon2id';

CREATE TABLE attempt (
    login_hash text PRIMARY KEY, failures bigint NOT NULL DEFAULT 0, locked_until timestamptz,
    tried_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE attempt IS 'wrong passwords in a row, of logins that exist and of others alike';

CREATE TABLE api_key (
    key_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, account_id bigint NOT NULL REFERENCES account (account_id),
    label text NOT NULL, hash text NOT NULL UNIQUE, scopes text[] NOT NULL, created_at timestamptz NOT NULL
        DEFAULT clock_timestamp(), expires_at timestamptz NOT NULL, revoked_at timestamptz, last_used_at timestamptz,
    CHECK (scopes <> '{}' AND scopes <@ ARRAY['read', 'write', 'export', 'admin'])
);
COMMENT ON COLUMN api_key.hash IS 'SHA-256 of the key, which is random enough to need no salt';

CREATE TABLE session (
    hash text PRIMARY KEY, account_id bigint NOT NULL REFERENCES account (account_id),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(), expires_at timestamptz NOT NULL, ended_at timestamptz
);
COMMENT ON COLUMN session.hash IS 'SHA-256 of the random identifier in the signed cookie';

CREATE TABLE idempotency (
    account_id bigint NOT NULL REFERENCES account (account_id), key text NOT NULL CHECK (length(key) BETWEEN 1 AND 200),
    request_hash text NOT NULL, status bigint NOT NULL, body text NOT NULL, headers jsonb NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (account_id, key)
);

INSERT INTO account (account_id, login, role) OVERRIDING SYSTEM VALUE VALUES (1, 'service', 'service');
ALTER TABLE account ALTER COLUMN account_id RESTART WITH 11;

ALTER TABLE audit ADD COLUMN account_id bigint REFERENCES account (account_id), ADD COLUMN origin text,
    ADD COLUMN request_id text, ADD COLUMN old jsonb, ADD COLUMN new jsonb;
CREATE INDEX audit_account ON audit (account_id, id);
"""

WHO = """
CREATE FUNCTION actor_id() RETURNS bigint STABLE PARALLEL SAFE LANGUAGE sql RETURN
    nullif(current_setting('app.actor', true), '')::bigint;
COMMENT ON FUNCTION actor_id IS 'account under which this transaction works; null: none, to whom everything is closed';

CREATE FUNCTION actor_role() RETURNS text STABLE SECURITY DEFINER LANGUAGE sql SET search_path = @here AS
    'SELECT role FROM account WHERE account_id = actor_id() AND disabled_at IS NULL';
CREATE FUNCTION actor_mission() RETURNS text STABLE SECURITY DEFINER LANGUAGE sql SET search_path = @here AS
    'SELECT mission_id FROM account WHERE account_id = actor_id() AND disabled_at IS NULL';

CREATE FUNCTION own_office(office text) RETURNS boolean STABLE LANGUAGE sql SET search_path = @here AS $$
    SELECT CASE (SELECT actor_role())
        WHEN 'mission' THEN office IS NOT NULL AND office = (SELECT actor_mission())
        WHEN 'officer' THEN office IS NULL
        WHEN 'admin' THEN true
        ELSE false END
$$;
COMMENT ON FUNCTION own_office IS 'the actor works for this office: a mission, or (null) the city; admin for every one';

CREATE FUNCTION actor_covers(partner text) RETURNS boolean STABLE LANGUAGE sql SET search_path = @here AS $$
    SELECT coalesce((SELECT actor_role()) IN ('officer', 'admin'), false) OR EXISTS (
        SELECT FROM partners_now p WHERE p.partner_id = partner AND p.country IN (
            SELECT country FROM missions_now WHERE mission_id = (SELECT actor_mission())
            UNION ALL SELECT country FROM accreditation_now WHERE mission_id = (SELECT actor_mission())))
$$;
COMMENT ON FUNCTION actor_covers IS 'the partner is at home in a country that the actor''s mission covers';

CREATE FUNCTION follows(kind text, record bigint, number bigint, office text) RETURNS boolean STABLE LANGUAGE plpgsql
SET search_path = @here AS $$
DECLARE
    there boolean;
BEGIN
    IF number = 1 THEN
        RETURN true;
    END IF;
    EXECUTE format('SELECT EXISTS (SELECT FROM %%I b WHERE b.id = $1 AND b.version = $2 - 1'
        ' AND b.mission_id IS NOT DISTINCT FROM $3)', kind) INTO there USING record, number, office;
    RETURN there;
END $$;
COMMENT ON FUNCTION follows IS 'the version is a first one, or the actor sees the one before, of the same office. A '
    'function, because a policy may not look into its own table';
"""

PIPELINE = """
CREATE SEQUENCE pipeline_id;

CREATE TABLE interaction (
    id bigint NOT NULL, version bigint NOT NULL CHECK (version > 0), withdrawn boolean NOT NULL DEFAULT false,
    mission_id text, partner_id text NOT NULL, project_id text,
    kind text NOT NULL CHECK (kind IN ('contact', 'meeting', 'visit', 'delegation', 'event')),
    held_on date NOT NULL, next_on date, note text,
    account_id bigint NOT NULL REFERENCES account (account_id), recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    hay text GENERATED ALWAYS AS (fold(partner_id || ' ' || coalesce(project_id, '') || ' ' || coalesce(note, ''))) STORED,
    PRIMARY KEY (id, version)
);
COMMENT ON COLUMN interaction.hay IS 'what a search looks into, folded once, because folding costs a millisecond a kilobyte';
CREATE TABLE shortlist (
    id bigint NOT NULL, version bigint NOT NULL CHECK (version > 0), withdrawn boolean NOT NULL DEFAULT false,
    mission_id text, partner_id text NOT NULL, project_id text NOT NULL, reason text, exposure_id bigint,
    account_id bigint NOT NULL REFERENCES account (account_id), recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    hay text GENERATED ALWAYS AS (fold(partner_id || ' ' || project_id || ' ' || coalesce(reason, ''))) STORED,
    PRIMARY KEY (id, version)
);
CREATE TABLE assignment (
    id bigint NOT NULL, version bigint NOT NULL CHECK (version > 0), withdrawn boolean NOT NULL DEFAULT false,
    mission_id text, partner_id text NOT NULL, project_id text, by_city boolean NOT NULL,
    lead boolean NOT NULL, stage text NOT NULL
        CHECK (stage IN ('lead', 'prospect', 'engaged', 'negotiating', 'committed', 'won')),
    status text NOT NULL CHECK (status IN ('active', 'paused', 'lost', 'done')),
    next_step text, next_on date, value_usd double precision CHECK (value_usd > 0 AND value_usd < 1e15),
    expected_on date, lost_reason text, lost_to_country text,
    account_id bigint NOT NULL REFERENCES account (account_id), recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    hay text GENERATED ALWAYS AS (fold(partner_id || ' ' || coalesce(project_id, '') || ' ' || coalesce(next_step, '') || ' ' || coalesce(lost_reason, ''))) STORED,
    PRIMARY KEY (id, version), CHECK (status <> 'lost' OR lost_reason IS NOT NULL)
);
COMMENT ON COLUMN assignment.by_city IS 'given by the city, which then sees it as the office does';
CREATE TABLE outcome (
    id bigint NOT NULL, version bigint NOT NULL CHECK (version > 0), withdrawn boolean NOT NULL DEFAULT false,
    mission_id text, partner_id text NOT NULL, project_id text NOT NULL,
    result text NOT NULL CHECK (result IN ('won', 'lost', 'abandoned')), role text,
    value_usd double precision CHECK (value_usd > 0 AND value_usd < 1e15), decided_on date NOT NULL,
    lost_reason text, lost_to_country text, source text NOT NULL CHECK (source <> ''), source_on date,
    account_id bigint NOT NULL REFERENCES account (account_id), recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    hay text GENERATED ALWAYS AS (fold(partner_id || ' ' || project_id || ' ' || coalesce(lost_reason, ''))) STORED,
    PRIMARY KEY (id, version), CHECK (result <> 'lost' OR lost_reason IS NOT NULL),
    CHECK (result <> 'won' OR role IS NOT NULL)
);
CREATE TABLE outcome_note (
    id bigint NOT NULL, version bigint NOT NULL, mission_id text, note text NOT NULL,
    account_id bigint NOT NULL REFERENCES account (account_id),
    hay text GENERATED ALWAYS AS (fold(note)) STORED,
    PRIMARY KEY (id, version), FOREIGN KEY (id, version) REFERENCES outcome (id, version)
);
COMMENT ON TABLE outcome_note IS 'apart from the outcome, because analysts see the one and not the other';
CREATE TABLE verification (
    id bigint PRIMARY KEY, outcome_id bigint NOT NULL, outcome_version bigint NOT NULL,
    verdict text NOT NULL CHECK (verdict IN ('verified', 'rejected')), reason text,
    account_id bigint NOT NULL REFERENCES account (account_id), recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (outcome_id, outcome_version), FOREIGN KEY (outcome_id, outcome_version) REFERENCES outcome (id, version)
);
CREATE INDEX interaction_partner ON interaction (partner_id);
CREATE INDEX assignment_partner ON assignment (partner_id);
CREATE INDEX outcome_pair ON outcome (project_id, partner_id);

CREATE FUNCTION offices_at(wanted text[])
RETURNS TABLE (partner_id text, others boolean, led boolean, lead_mission_id text)
STABLE SECURITY DEFINER LANGUAGE sql SET search_path = @here AS $$
    WITH work AS (
        SELECT a.partner_id, a.mission_id, a.lead FROM assignment_now a
        WHERE a.partner_id = ANY (wanted) AND a.status IN ('active', 'paused')
        UNION ALL
        SELECT i.partner_id, i.mission_id, false FROM interaction_now i WHERE i.partner_id = ANY (wanted)
    )
    SELECT w.partner_id,
        bool_or(w.mission_id IS DISTINCT FROM (SELECT actor_mission())), bool_or(w.lead),
        min(w.mission_id) FILTER (WHERE w.lead)
    FROM work w WHERE (SELECT actor_role()) IN ('mission', 'officer', 'admin') GROUP BY w.partner_id
$$;
COMMENT ON FUNCTION offices_at IS 'whether other offices work on partners and which office leads, so that collisions '
    'show; nothing else of their work. A lead without mission is the city';
"""

VERSIONED = ("interaction", "shortlist", "assignment", "outcome")

IMPORTS = """
CREATE TABLE import (
    import_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind text NOT NULL, file text NOT NULL,
    content bytea NOT NULL, options jsonb NOT NULL, report jsonb NOT NULL, revision bigint NOT NULL,
    account_id bigint NOT NULL REFERENCES account (account_id), recorded_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON COLUMN import.report IS 'what the file would change, or why it is refused, at that revision of the facts';
CREATE TABLE import_event (
    import_id bigint NOT NULL REFERENCES import (import_id), event text NOT NULL CHECK (event IN ('committed', 'undone')),
    batch_id bigint REFERENCES batch (id), account_id bigint NOT NULL REFERENCES account (account_id),
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (import_id, event)
);
"""

PAIRS = """
CREATE TABLE pair_set (
    set_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, engine_id text NOT NULL, revision bigint NOT NULL,
    as_of date NOT NULL, started_at timestamptz NOT NULL DEFAULT clock_timestamp(), done_at timestamptz,
    UNIQUE (engine_id, revision, as_of)
);
CREATE TABLE pair (
    set_id bigint NOT NULL REFERENCES pair_set (set_id) ON DELETE CASCADE, project_id text NOT NULL,
    partner_id text NOT NULL, country text, score double precision NOT NULL, match_vi text NOT NULL,
    match_en text NOT NULL, PRIMARY KEY (set_id, project_id, partner_id)
);
COMMENT ON COLUMN pair.match_vi IS 'the Match object as JSON, without its rank';
CREATE TABLE pair_view (
    set_id bigint NOT NULL REFERENCES pair_set (set_id) ON DELETE CASCADE, view text NOT NULL,
    project_ids text[] NOT NULL, partner_ids text[] NOT NULL, head jsonb NOT NULL, PRIMARY KEY (set_id, view)
);
COMMENT ON COLUMN pair_view.view IS 'mission:ID or country:ISO2; its pairs in order';
"""

ANYBODY = "(SELECT actor_role()) IS NOT NULL"
CITY = "(SELECT actor_role()) IN ('officer', 'admin')"
ADMIN = "(SELECT actor_role()) = 'admin'"
SERVICE = "(SELECT actor_role()) = 'service'"
KEEPER = "(SELECT actor_role()) IN ('service', 'admin')"
OWN = "own_office(mission_id)"
BY_ME = "account_id = (SELECT actor_id())"
MY_NAME = "'u' || (SELECT actor_id())"
WORKS = f"{BY_ME} AND actor_covers(partner_id) AND follows('%s', id, version, mission_id)"
ALL_SEEN = "(SELECT actor_role()) IN ('analyst', 'admin', 'service')"
OUTCOMES_SEEN = f"{OWN} OR (SELECT actor_role()) IN ('officer', 'analyst')"
GIVEN = f"{OWN} OR (by_city AND (SELECT actor_role()) = 'officer')"

POLICIES: dict[str, dict[str, str]] = {
    **{table: {"SELECT": ANYBODY, "INSERT": CITY} for table in ("batch", *FACT_KEYS)},
    "undone": {"SELECT": ANYBODY, "INSERT": CITY},
    "embedding": {"SELECT": ANYBODY, "INSERT": ANYBODY},
    "engine": {"SELECT": ANYBODY, "INSERT": KEEPER},
    "audit": {"SELECT": ADMIN, "INSERT": f"({BY_ME} AND {ANYBODY}) OR {SERVICE}"},
    "account": {"SELECT": f"{BY_ME} OR {KEEPER}", "INSERT": ADMIN, "UPDATE": ADMIN},
    "attempt": {"SELECT": KEEPER, "INSERT": KEEPER, "UPDATE": KEEPER},
    "credential": {"SELECT": KEEPER, "INSERT": KEEPER, "UPDATE": KEEPER},
    "api_key": {"SELECT": f"{BY_ME} OR {KEEPER}", "INSERT": ADMIN, "UPDATE": KEEPER},
    "session": {"SELECT": KEEPER, "INSERT": KEEPER, "UPDATE": KEEPER},
    "idempotency": {"SELECT": BY_ME, "INSERT": BY_ME},
    "exposure": {"SELECT": f"{OWN} OR {ALL_SEEN}", "INSERT": SERVICE},
    "exposure_item": {
        "SELECT": "EXISTS (SELECT FROM exposure e WHERE e.exposure_id = exposure_item.exposure_id)",
        "INSERT": SERVICE,
    },
    "judgment": {
        "SELECT": f"{OWN} OR {ALL_SEEN}",
        "INSERT": f"judged_by = {MY_NAME} AND actor = {MY_NAME} AND"
        f" ({OWN} OR (mission_id IS NULL AND (SELECT actor_role()) = 'analyst'))",
    },
    "interaction": {"SELECT": OWN, "INSERT": f"{WORKS % 'interaction'} AND {OWN}"},
    "shortlist": {"SELECT": OWN, "INSERT": f"{WORKS % 'shortlist'} AND {OWN}"},
    "assignment": {
        "SELECT": GIVEN,
        "INSERT": f"{WORKS % 'assignment'} AND ({OWN} OR ({CITY} AND by_city))",
    },
    "outcome": {"SELECT": OUTCOMES_SEEN, "INSERT": f"{WORKS % 'outcome'} AND {OWN}"},
    "outcome_note": {
        "SELECT": OWN,
        "INSERT": f"{BY_ME} AND {OWN} AND EXISTS (SELECT FROM outcome o WHERE (o.id, o.version, o.account_id) ="
        " (outcome_note.id, outcome_note.version, outcome_note.account_id)"
        " AND o.mission_id IS NOT DISTINCT FROM outcome_note.mission_id)",
    },
    "verification": {
        "SELECT": "EXISTS (SELECT FROM outcome o WHERE o.id = outcome_id)",
        "INSERT": f"{BY_ME} AND {CITY} AND NOT EXISTS"
        " (SELECT FROM outcome o WHERE o.id = outcome_id AND o.account_id = (SELECT actor_id()))",
    },
    "import": {"SELECT": CITY, "INSERT": f"{BY_ME} AND {CITY}"},
    "import_event": {"SELECT": CITY, "INSERT": f"{BY_ME} AND {CITY}"},
    "pair_set": {"SELECT": ANYBODY, "INSERT": KEEPER, "UPDATE": KEEPER, "DELETE": KEEPER},
    "pair": {"SELECT": ANYBODY, "INSERT": KEEPER, "UPDATE": KEEPER, "DELETE": KEEPER},
    "pair_view": {"SELECT": ANYBODY, "INSERT": KEEPER, "UPDATE": KEEPER, "DELETE": KEEPER},
}
"""Table -> command -> who may: what is not listed is closed."""

GROWING = ("undone", *VERSIONED, "outcome_note", "verification", "import", "import_event")
AUDITED = ("account", "api_key", "credential", *VERSIONED, "verification", "import", "import_event", "judgment")
UNAUDITED_CHANGES = ("last_used_at",)

AUDIT = f"""
CREATE FUNCTION audited() RETURNS trigger LANGUAGE plpgsql SET search_path = @here AS $$
DECLARE
    secret text[] := ARRAY['password_hash', 'hash', 'note', 'hay', 'content', 'report'];
    unsaid text[] := ARRAY{list(UNAUDITED_CHANGES)!r};
    before jsonb := NULL;
    after_ jsonb := to_jsonb(NEW) - secret;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        before := to_jsonb(OLD) - secret;
        IF before - unsaid = after_ - unsaid AND to_jsonb(OLD) - unsaid = to_jsonb(NEW) - unsaid THEN
            RETURN NULL;
        END IF;
    ELSIF (after_ ->> 'version')::bigint > 1 THEN
        EXECUTE format('SELECT to_jsonb(t) - $3 FROM %%I t WHERE id = $1 AND version = $2', TG_TABLE_NAME)
            INTO before USING (after_ ->> 'id')::bigint, (after_ ->> 'version')::bigint - 1, secret;
    END IF;
    INSERT INTO audit (actor, action, details, account_id, origin, request_id, old, new) VALUES (
        coalesce(nullif(current_setting('app.who', true), ''), 'u' || actor_id(), session_user),
        TG_TABLE_NAME || CASE TG_OP WHEN 'UPDATE' THEN ' changed' ELSE '' END, '{{}}', actor_id(),
        nullif(current_setting('app.origin', true), ''), nullif(current_setting('app.request', true), ''),
        before, after_);
    RETURN NULL;
END $$;
"""


def _settled(connection: Connection, text: str) -> str:
    """The text with the schema of the tables as `@here`; temporary tables, which anybody may make, come last."""
    schema: str = connection.exec_driver_sql("SELECT quote_ident(current_schema())").scalar_one()
    return text.replace("@here", f"{schema}, pg_temp".replace("%", "%%"))


def _newest(table: str, key: str) -> str:
    return f"SELECT DISTINCT ON ({key}) * FROM {table} ORDER BY {key}, seq DESC"


def upgrade() -> None:
    run = op.get_bind().exec_driver_sql
    run(ROLE)
    for part in (UNDO, ACCOUNTS):
        run(part)
    for table, key in FACT_KEYS.items():
        run(
            f"CREATE OR REPLACE VIEW {table}_now WITH (security_invoker = true) AS "
            f"SELECT DISTINCT ON ({key}) * FROM {table} t WHERE NOT EXISTS "
            f"(SELECT FROM undone u WHERE u.batch_id = t.batch_id) ORDER BY {key}, seq DESC"
        )
        run(f"CREATE INDEX {table}_batch ON {table} (batch_id)")
    run(_settled(op.get_bind(), WHO))
    run(PIPELINE.partition("CREATE FUNCTION offices_at")[0])
    for table in VERSIONED:
        run(
            f"CREATE VIEW {table}_now WITH (security_invoker = true) AS SELECT * FROM ("
            f"SELECT DISTINCT ON (id) * FROM {table} ORDER BY id, version DESC) newest WHERE NOT withdrawn"
        )
    run(_settled(op.get_bind(), "CREATE FUNCTION offices_at" + PIPELINE.partition("CREATE FUNCTION offices_at")[2]))
    for part in (IMPORTS, PAIRS, _settled(op.get_bind(), AUDIT)):
        run(part)
    for table in GROWING:
        run(
            f"CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    # Old answers are swept away by the owner; the role of the service has no right to.
    run(
        "CREATE TRIGGER only_grows BEFORE UPDATE OR TRUNCATE ON idempotency "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    for table in AUDITED:
        run(f"CREATE TRIGGER audited AFTER INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION audited()")
    for table, rules in POLICIES.items():
        run(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
        run(f"CREATE POLICY owner ON {table} TO CURRENT_USER USING (true) WITH CHECK (true)")
        for command, rule in rules.items():
            clause = f"WITH CHECK ({rule})" if command == "INSERT" else f"USING ({rule})"
            run(f"CREATE POLICY app_{command.lower()} ON {table} FOR {command} TO {APP} {clause}")
        run(f"GRANT {', '.join(rules)} ON {table} TO {APP}")
    views = ", ".join(f"{t}_now" for t in (*FACT_KEYS, *VERSIONED))
    run(f"GRANT SELECT ON {views}, alembic_version TO {APP}")
    run(f"GRANT USAGE ON SEQUENCE pipeline_id TO {APP}")


def downgrade() -> None:
    run = op.get_bind().exec_driver_sql
    run("DROP TABLE pair_view, pair, pair_set, import_event, import")
    run("DROP FUNCTION offices_at")
    for table in VERSIONED:
        run(f"DROP VIEW {table}_now")
    run("DROP TRIGGER audited ON judgment")
    run("DROP TABLE verification, outcome_note, outcome, assignment, shortlist, interaction, idempotency")
    run("DROP SEQUENCE pipeline_id")
    kept = [t for t in POLICIES if t in (*FACT_KEYS, "batch", "embedding", "engine", "audit", "exposure",
                                         "exposure_item", "judgment")]  # fmt: skip
    for table in kept:
        for command in POLICIES[table]:
            run(f"DROP POLICY app_{command.lower()} ON {table}")
        run(f"DROP POLICY owner ON {table}")
        run(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY")
        run(f"REVOKE ALL ON {table} FROM {APP}")
    run("ALTER TABLE audit DROP COLUMN account_id, DROP COLUMN origin, DROP COLUMN request_id, DROP COLUMN old, "
        "DROP COLUMN new")  # fmt: skip
    run("DROP TABLE api_key, credential, attempt, session, account")
    for table, key in FACT_KEYS.items():
        run(f"REVOKE ALL ON {table}_now FROM {APP}")
        run(f"CREATE OR REPLACE VIEW {table}_now WITH (security_invoker = true) AS {_newest(table, key)}")
        run(f"DROP INDEX {table}_batch")
    run("DROP TABLE undone")
    run("DROP FUNCTION follows, actor_covers, own_office, actor_mission, actor_role, actor_id, audited")
    run(f"REVOKE ALL ON alembic_version FROM {APP}")
    # The role stays: other databases of the server may use it.
