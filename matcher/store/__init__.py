"""The only code that speaks SQL: schema, migrations, appends, reads as of a day, and the embedded server."""

from matcher.store.store import AuditEntry, Batch, EngineEntry, Store

__all__ = ["AuditEntry", "Batch", "EngineEntry", "Store"]
