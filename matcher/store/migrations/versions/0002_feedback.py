"""What was shown to whom, and what people think of it: exposures with their items, and judgments."""

from alembic import op

revision = "0002"
down_revision = "0001"

TABLES = """
CREATE TABLE exposure (
    exposure_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    engine_id text NOT NULL, as_of date NOT NULL, revision bigint NOT NULL CHECK (revision >= 0),
    query jsonb NOT NULL, filters jsonb NOT NULL,
    n bigint NOT NULL CHECK (n >= 0), "offset" bigint NOT NULL CHECK ("offset" >= 0),
    n_items bigint NOT NULL CHECK (n_items BETWEEN 0 AND n), candidates bigint NOT NULL CHECK (candidates >= 0),
    channel text NOT NULL CHECK (channel IN ('api', 'page', 'cli', 'job')),
    lang text NOT NULL CHECK (lang IN ('vi', 'en')),
    actor text NOT NULL CHECK (actor <> ''), role text CHECK (role IN ('mission', 'officer', 'analyst', 'admin')),
    mission_id text, shown_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON COLUMN exposure.revision IS 'the newest batch of facts that the list was made of';
COMMENT ON COLUMN exposure.actor IS 'a pseudonym, never the name of a person';
COMMENT ON COLUMN exposure.mission_id IS 'the mission that the list was shown to; null: the city itself';
CREATE INDEX exposure_shown ON exposure (shown_at);
CREATE INDEX exposure_engine ON exposure (engine_id, shown_at);
CREATE INDEX exposure_mission ON exposure (mission_id, shown_at);

CREATE TABLE exposure_item (
    exposure_id bigint NOT NULL REFERENCES exposure (exposure_id), rank bigint NOT NULL CHECK (rank > 0),
    project_id text NOT NULL, partner_id text NOT NULL, score double precision NOT NULL,
    probability double precision CHECK (probability BETWEEN 0 AND 1),
    propensity double precision CHECK (propensity > 0 AND propensity <= 1),
    PRIMARY KEY (exposure_id, rank), UNIQUE (exposure_id, project_id, partner_id)
);
COMMENT ON COLUMN exposure_item.propensity IS 'chance of being shown at this rank; null: the order was not random';
CREATE INDEX exposure_item_pair ON exposure_item (project_id, partner_id);

CREATE TABLE judgment (
    judgment_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id text NOT NULL, partner_id text NOT NULL, grade bigint NOT NULL CHECK (grade BETWEEN 0 AND 3),
    reason text, judged_by text NOT NULL CHECK (judged_by <> ''), mission_id text, judged_on date NOT NULL,
    exposure_id bigint, actor text NOT NULL CHECK (actor <> ''),
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    FOREIGN KEY (exposure_id, project_id, partner_id) REFERENCES exposure_item (exposure_id, project_id, partner_id),
    CHECK (judged_on <= (recorded_at AT TIME ZONE 'UTC')::date + 1)
);
COMMENT ON COLUMN judgment.judged_by IS 'pseudonym of the office or person, never a name';
COMMENT ON COLUMN judgment.actor IS 'who recorded it';
COMMENT ON COLUMN judgment.mission_id IS 'the mission that the judge belongs to; null: the city itself';
CREATE INDEX judgment_latest ON judgment (project_id, partner_id, judged_by, judged_on DESC, judgment_id DESC);
"""


def upgrade() -> None:
    run = op.get_bind().exec_driver_sql
    run(TABLES)
    for table in ("exposure", "exposure_item", "judgment"):
        run(
            f"CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    op.get_bind().exec_driver_sql("DROP TABLE judgment, exposure_item, exposure")
