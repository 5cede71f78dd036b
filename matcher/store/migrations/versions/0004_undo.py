"""Whether pipeline and judgments of any office refer to records, so that an undo never takes them away."""

from alembic import op

revision = "0004"
down_revision = "0003"

PARTNERS = ("interaction_now", "shortlist_now", "assignment_now", "outcome_now", "judgment")

REFERRED = """
CREATE FUNCTION referred(facts text, ids text[]) RETURNS TABLE (name text, n bigint)
STABLE SECURITY DEFINER LANGUAGE sql SET search_path FROM CURRENT AS $$
    SELECT c.name, c.n FROM ({counts}) c(name, n)
    WHERE c.n > 0 AND (current_setting('role') <> 'matcher_app' OR (SELECT actor_role()) IN ('officer', 'admin'))
$$;
COMMENT ON FUNCTION referred IS 'how many rows of each table refer to these projects, partners or missions, whoever '
    'owns the rows; told to those who may undo an import, and nothing else is';
"""


def upgrade() -> None:
    counts = [
        f"SELECT '{view.removesuffix('_now')}', count(*) FROM {view}"  # noqa: S608 - names from above
        " WHERE (facts = 'partners' AND partner_id = ANY (ids)) OR (facts = 'projects' AND project_id = ANY (ids))"
        for view in PARTNERS
    ]
    counts.append("SELECT 'account', count(*) FROM account WHERE facts = 'missions' AND mission_id = ANY (ids)")
    op.get_bind().exec_driver_sql(REFERRED.format(counts=" UNION ALL ".join(counts)))


def downgrade() -> None:
    op.get_bind().exec_driver_sql("DROP FUNCTION referred")
