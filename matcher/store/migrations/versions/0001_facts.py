"""Facts with all their versions, batches, audit, vectors and the registry of engines."""

from alembic import op

revision = "0001"
down_revision = None

# table -> (columns, key). Written out, not taken from records.TABLES: a migration never changes.
FACTS = {
    "isic": (
        "code text NOT NULL, level bigint NOT NULL, parent text, title_en text NOT NULL, title_vi text, source "
        "text, source_on date, licence text",
        "code",
    ),
    "city_sectors": (
        "sector text NOT NULL, name_vi text NOT NULL, name_en text NOT NULL, isic text[] NOT NULL, green boolean, "
        "source text, source_on date, licence text",
        "sector",
    ),
    "activity_tags": (
        "tag text NOT NULL, name_vi text NOT NULL, name_en text NOT NULL, isic text[] NOT NULL, green boolean, "
        "source text, source_on date, licence text",
        "tag",
    ),
    "terms": (
        "term text NOT NULL, lang text NOT NULL, isic text[] NOT NULL, source text, source_on date, licence text",
        "term, lang",
    ),
    "countries": (
        "country text NOT NULL, iso3 text, name_vi text NOT NULL, name_en text NOT NULL, region text, subregion "
        "text, asean boolean, eu boolean, languages text[], capital text, lat double precision, lon double "
        "precision, distance_vn_km double precision, source text, source_on date, licence text",
        "country",
    ),
    "country_ties": (
        "country text NOT NULL, kind text NOT NULL, name text NOT NULL, level text, status text, signed_on date, "
        "in_force_on date, in_force_precision text, ended_on date, days bigint, note text, source text NOT NULL, "
        "source_on date, licence text",
        "country, kind, name",
    ),
    "projects": (
        "project_id text NOT NULL, name_vi text, name_en text, name_vi_status text, description text, sector text, "
        "isic text[], country text NOT NULL, region text, city text, place text, boundary text, area_ha double "
        "precision, value_min numeric(24,2), value_max numeric(24,2), value_currency text, value_usd_min double "
        "precision, value_usd_max double precision, value_usd_estimated boolean, form text, form_note text, status "
        "text NOT NULL, status_note text, agency text, proponent text, green boolean, announced_on date, "
        "announced_precision text, notes text, source text NOT NULL, source_on date, licence text, source_2 text, "
        "source_2_on date",
        "project_id",
    ),
    "partners": (
        "partner_id text NOT NULL, name text NOT NULL, name_local text, country text, origin_country text, "
        "parent_id text, city text, kind text NOT NULL, sector text, sector_local text, isic text[], activities "
        "text[], description text, size text, ticket_usd_min double precision, ticket_usd_max double precision, "
        "green boolean, website text, source text NOT NULL, source_on date, licence text",
        "partner_id",
    ),
    "deals": (
        "deal_id text NOT NULL, project_id text NOT NULL, partner_id text NOT NULL, role text NOT NULL, status "
        "text NOT NULL, status_note text, closed_on date, closed_precision text, value_usd double precision, "
        "value_scope text, source text NOT NULL, source_on date, licence text, source_2 text",
        "deal_id",
    ),
    "footprint": (
        "partner_id text NOT NULL, country text NOT NULL, what text, relation text, evidence text NOT NULL, "
        'deal_id text, "on" date, on_precision text, source text NOT NULL, source_on date, licence text',
        "partner_id, country, what, evidence, deal_id",
    ),
    "missions": (
        "mission_id text NOT NULL, name_vi text NOT NULL, name_en text NOT NULL, type text NOT NULL, country text "
        "NOT NULL, city text, status text, confidence text, note text, source text NOT NULL, source_on date, "
        "licence text",
        "mission_id",
    ),
    "accreditation": (
        "mission_id text NOT NULL, country text NOT NULL, note text, confidence text, source text NOT NULL, "
        "source_on date, licence text",
        "mission_id, country",
    ),
    "localities": (
        "locality text NOT NULL, country text NOT NULL, level text, established_on date, established_precision "
        "text, city_side text NOT NULL, note text, source text NOT NULL, source_on date, licence text, source_2 "
        "text",
        "locality, country, city_side",
    ),
    "fdi_facts": (
        "fact_id text NOT NULL, area text NOT NULL, boundary text NOT NULL, period text NOT NULL, measure text NOT "
        "NULL, partner text, sector text, value_usd double precision, n_projects bigint, share double precision, "
        "source text NOT NULL, source_on date, licence text",
        "fact_id",
    ),
    "activities": (
        "activity_id text NOT NULL, kind text NOT NULL, name_vi text, name_en text NOT NULL, name_vi_status text, "
        "country text, with_whom text, held_on date, held_precision text, fact text, source text NOT NULL, "
        "source_on date, licence text",
        "activity_id",
    ),
    "investor_criteria": (
        "criterion_id text NOT NULL, instrument text, sector text, criterion text NOT NULL, value text NOT NULL, "
        "value_min numeric(24,2), value_currency text, source text NOT NULL, source_on date, licence text",
        "criterion_id",
    ),
}

FUNCTIONS = r"""
CREATE FUNCTION last_day_of(day date, precision_ text) RETURNS date IMMUTABLE PARALLEL SAFE LANGUAGE sql RETURN
    CASE precision_
        WHEN 'none' THEN NULL
        WHEN 'year' THEN make_date(extract(year FROM day)::int, 12, 31)
        WHEN 'month' THEN (date_trunc('month', day::timestamp) + interval '1 month' - interval '1 day')::date
        ELSE day
    END;
COMMENT ON FUNCTION last_day_of IS 'the last day that a date printed with this precision can mean';

CREATE FUNCTION fold(t text) RETURNS text IMMUTABLE STRICT PARALLEL SAFE LANGUAGE sql RETURN
    normalize(
        regexp_replace(
            normalize(replace(translate(lower(t), 'đς', 'dσ'), 'ß', 'ss'), NFKD),
            '[\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u1ab0-\u1abd\u1dc0-\u1dff\u20d0-\u20dc\u3099\u309a\ufe20-\ufe2f]',
            '', 'g'),
        NFC);
COMMENT ON FUNCTION fold IS 'lower case without diacritics: matcher.text.fold for Latin, Greek, Cyrillic, kana, Hangul';

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'table %% only grows: a correction is a new row', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;
"""

HOUSEKEEPING = """
CREATE TABLE batch (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, table_name text NOT NULL, key text NOT NULL,
    source text NOT NULL, actor text NOT NULL, recorded_at timestamptz NOT NULL, n_rows bigint NOT NULL,
    content_hash text NOT NULL
);
CREATE INDEX batch_key ON batch (table_name, key);
CREATE TABLE audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor text NOT NULL, action text NOT NULL, details jsonb NOT NULL DEFAULT '{}'
);
CREATE TABLE embedding (
    encoder_id text NOT NULL, hash text NOT NULL, vector bytea NOT NULL, PRIMARY KEY (encoder_id, hash)
);
COMMENT ON COLUMN embedding.vector IS 'float32, little-endian';
ALTER TABLE embedding ALTER COLUMN vector SET STORAGE EXTERNAL;
CREATE TABLE engine (
    engine_id text PRIMARY KEY, path text NOT NULL, manifest jsonb NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
"""


def upgrade() -> None:
    # The driver is asked directly: SQLAlchemy would take a colon in these texts for a parameter. Its own is %.
    run = op.get_bind().exec_driver_sql
    run("CREATE EXTENSION IF NOT EXISTS vector")
    run(FUNCTIONS)
    run(HOUSEKEEPING)
    for table, (columns, key) in FACTS.items():
        run(
            f"CREATE TABLE {table} ({columns}, seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "
            "batch_id bigint NOT NULL REFERENCES batch (id), valid_on date, recorded_at timestamptz NOT NULL)"
        )
        run(f"CREATE INDEX {table}_newest ON {table} ({key}, seq DESC)")
        newest = f"SELECT DISTINCT ON ({key}) * FROM {table} ORDER BY {key}, seq DESC"  # noqa: S608 - names from above
        run(f"CREATE VIEW {table}_now WITH (security_invoker = true) AS {newest}")
    for table in ("batch", "audit", "engine", *FACTS):
        run(
            f"CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    run = op.get_bind().exec_driver_sql
    for table in reversed(FACTS):
        run(f"DROP VIEW {table}_now")
        run(f"DROP TABLE {table}")
    run("DROP TABLE engine, embedding, audit, batch")
    run("DROP FUNCTION refuse_change, fold, last_day_of")
    # The extension stays: a superuser may have installed it for others as well.
