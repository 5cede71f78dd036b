"""Whether pipeline and judgments of any office refer to records, so that an undo never takes them away."""

from alembic import op

revision = "0004"
down_revision = "0003"

PARTNERS = ("interaction_now", "shortlist_now", "assignment_now", "outcome_now", "judgment")

REFERRED = """
CREATE FUNCTION referred(facts text, ids text[]) RETURNS boolean
STABLE SECURITY DEFINER LANGUAGE sql SET search_path = @here AS $$
    SELECT coalesce(current_setting('role') <> 'matcher_app' OR (SELECT actor_role()) IN ('officer', 'admin'), false)
        AND (@any)
$$;
COMMENT ON FUNCTION referred IS 'whether rows of the pipeline, judgments or accounts refer to one of these projects, '
    'partners or missions, whoever owns the rows; told to those who may undo an import, and nothing else is';
"""


def upgrade() -> None:
    run = op.get_bind().exec_driver_sql
    here: str = run("SELECT quote_ident(current_schema())").scalar_one()
    found = [
        f"EXISTS (SELECT FROM {view} WHERE "
        "(facts = 'partners' AND partner_id = ANY (ids)) OR (facts = 'projects' AND project_id = ANY (ids)))"
        for view in PARTNERS
    ]
    found.append("EXISTS (SELECT FROM account WHERE facts = 'missions' AND mission_id = ANY (ids))")
    path = f"{here}, pg_temp".replace("%", "%%")
    run(REFERRED.replace("@here", path).replace("@any", " OR ".join(found)))


def downgrade() -> None:
    op.get_bind().exec_driver_sql("DROP FUNCTION referred")
