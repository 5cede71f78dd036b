"""The store, the encoder and the facts of a site, opened the same way by every job."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date

from matcher.ingest import encoder_wheel
from matcher.jobs import OFFLINE_ENCODER, Site
from matcher.matching.embed import CachedEncoder, SentenceEncoder
from matcher.records import REFERENCE_TABLES, Facts, Reference
from matcher.store import Store
from matcher.store.desk import Desk
from matcher.store.embedded import EmbeddedServer


@contextmanager
def open_store(site: Site, *, acting: int | None = None) -> Iterator[Store]:
    """The site's store; where no database is set, the embedded server runs as long as somebody uses it.

    Args:
        acting: account of the service, to which row-level security applies; None: the owner of the tables.
    """
    with database(site) as url, Store.open(url, acting=acting) as store:
        yield store


@contextmanager
def open_desk(site: Site) -> Iterator[Desk]:
    """The door through which the service works for its callers.

    Raises:
        SourceError: the database does not answer, or its schema is not that of this program.
    """
    with database(site) as url:
        desk = Desk.open(url)
        try:
            yield desk
        finally:
            desk.close()


@contextmanager
def database(site: Site) -> Iterator[Callable[[], str]]:
    """What gives the URL of the site's database for each new connection; a killed embedded server is started again."""
    url = site.database_url
    if url is not None:
        yield lambda: url
        return
    with EmbeddedServer.start(site.data_dir) as server:
        yield server.revive


def open_encoder(site: Site, store: Store) -> CachedEncoder:
    """The site's encoder in front of the store's vectors; the model is loaded when a text is new.

    Raises:
        SourceError: there is no such model.
    """
    return CachedEncoder(SentenceEncoder(site.encoder_path), store.get_vectors, store.put_vectors)


def build_encoder(site: Site) -> str:
    """Name and revision of the site's encoder, which is ready to be loaded; the offline one is built if need be.

    Raises:
        SourceError: the model is missing and cannot be built.
    """
    if site.encoder == OFFLINE_ENCODER:
        encoder_wheel.build(site.models)
    return SentenceEncoder(site.encoder_path).id


def reference(store: Store, as_of: date | None = None, revision: int | None = None) -> Reference:
    """Classifications, places and glossary as they were public on a day (None: all that is known)."""
    return Reference(**{name: store.read(name, as_of=as_of, revision=revision) for name in REFERENCE_TABLES})


def facts(store: Store, as_of: date, revision: int | None = None) -> Facts:
    """Everything an engine may know on a day; with `revision`, as the store knew it after that batch."""
    return Facts(
        projects=store.read("projects", as_of=as_of, revision=revision),
        partners=store.read("partners", as_of=as_of, revision=revision),
        deals=store.read("deals", as_of=as_of, revision=revision),
        footprint=store.read("footprint", as_of=as_of, revision=revision),
        reference=reference(store, as_of, revision),
        as_of=as_of,
        criteria=store.read("investor_criteria", as_of=as_of, revision=revision),
    )
