"""Whether a version of a record was written by the office of the one who asks, without showing him the accounts."""

from alembic import op

revision = "0005"
down_revision = "0004"

COLLEAGUE = """
CREATE FUNCTION colleague(who bigint) RETURNS boolean STABLE SECURITY DEFINER LANGUAGE sql
SET search_path = @here AS $$
    SELECT coalesce((SELECT actor_role()) = 'admin' OR EXISTS (
        SELECT FROM account a, account me WHERE a.account_id = who AND me.account_id = actor_id()
        AND me.disabled_at IS NULL AND a.mission_id IS NOT DISTINCT FROM me.mission_id), false)
$$;
COMMENT ON FUNCTION colleague IS 'the account works for the office of the actor; to an administrator every one does';
"""


def upgrade() -> None:
    run = op.get_bind().exec_driver_sql
    here: str = run("SELECT quote_ident(current_schema())").scalar_one()
    run(COLLEAGUE.replace("@here", f"{here}, pg_temp".replace("%", "%%")))


def downgrade() -> None:
    op.get_bind().exec_driver_sql("DROP FUNCTION colleague")
