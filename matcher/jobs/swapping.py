"""A catalogue answers while a newer one is opened by a thread; then the newer one takes its place at once."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from matcher.errors import MatcherError
from matcher.matching.catalogue import Catalogue

_log = logging.getLogger("matcher.swap")

AGAIN_SECONDS = 30.0
"""What could not be opened is tried again when something else is wanted, or after so long: a database comes back."""


class Stopped(Exception):  # noqa: N818 - no fault: it ends work that nobody waits for any more
    """The swap was closed, or something newer is wanted, while something was made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What a catalogue is made of: an engine's folder as it stood, the facts after a batch, and a day."""

    folder: Path
    state: tuple[int, int]
    revision: int
    day: date

    @classmethod
    def of(cls, folder: Path, *, revision: int, day: date) -> "Key":
        """The key of a folder as it stands: one that was put in its place by another fit differs."""
        found = folder.stat()
        return cls(folder=folder, state=(found.st_ino, found.st_mtime_ns), revision=revision, day=day)

    def before(self, other: "Key") -> bool:
        """Fewer facts or an earlier day: somebody read the revision before somebody else wrote."""
        return self.revision < other.revision or self.day < other.day


@dataclass(frozen=True, slots=True)
class Opened:
    """An opened catalogue and what it was made of."""

    key: Key
    catalogue: Catalogue


class Swap:
    """Serves the catalogue that was opened last; another key than its own starts the opening of another one.

    The first one is opened by whoever asks first, since there is nothing to serve before it. A newer one that cannot
    be opened leaves the one before in service; the reason is logged once and stands in `failure`.

    Args:
        make: key -> catalogue. It may call `check_open` now and then, so that closing need not wait for its end.
        after: called by the thread with what was put in service and with a function that says whether the work has
            to end, because the swap is closed or something newer is wanted.
    """

    def __init__(
        self, make: Callable[[Key], Catalogue], *, after: Callable[[Opened, Callable[[], bool]], None] | None = None
    ) -> None:
        self._make, self._after = make, after
        self._changed = threading.Condition()
        self._first = threading.Lock()
        self._serving: Opened | None = None
        self._wanted: Key | None = None
        self._followed: Key | None = None
        self._failed: tuple[Key, str, float] | None = None
        self._said: str | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def failure(self) -> str | None:
        """Why what is wanted is not in service; None when it is, or is being opened."""
        failed = self._failed
        return failed[1] if failed is not None and failed[0] == self._wanted else None

    @property
    def now(self) -> Opened | None:
        """What is in service."""
        return self._serving

    def serving(self, wanted: Key) -> Opened:
        """What is in service, at once; where it is not what is wanted, that is opened meanwhile.

        Raises:
            MatcherError: there is nothing in service yet, and what is wanted cannot be opened.
        """
        now = self._serving
        if now is None:
            with self._first:
                if self._serving is None:
                    self._serving = Opened(wanted, self._make(wanted))
                now = self._serving
        if wanted != self._wanted or self._failed is not None:
            self._order(wanted)
        return now

    def newest(self, wanted: Key, *, seconds: float) -> Opened:
        """What is wanted if it comes into service within so many seconds; else what is in service then."""
        now = self.serving(wanted)
        if now.key != wanted:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._settled(wanted), timeout=seconds)
        return self._serving or now

    def close(self) -> None:
        """The thread has ended, and nothing is in service."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        self._serving = None

    def check_open(self) -> None:
        """Nothing, while the swap is open.

        Raises:
            Stopped: it was closed.
        """
        if self._closed:
            raise Stopped

    def _settled(self, wanted: Key) -> bool:
        now, failed = self._serving, self._failed
        return (now is not None and not now.key.before(wanted)) or (failed is not None and failed[0] == self._wanted)

    def _order(self, wanted: Key) -> None:
        with self._changed:
            if self._closed or (self._wanted is not None and wanted.before(self._wanted)):
                return
            self._wanted = wanted
            if self._failed is not None and self._failed[0] != wanted:
                self._failed = None
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="swap", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def _due(self) -> Key | None:
        """What the thread has to open or to follow up now."""
        wanted, failed = self._wanted, self._failed
        if failed is not None and failed[0] == wanted and time.monotonic() - failed[2] < AGAIN_SECONDS:
            return None
        behind = self._serving is None or self._serving.key != wanted
        return wanted if behind or self._followed != wanted else None

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._due() is not None)
                if self._closed:
                    return
                wanted = self._wanted
            assert wanted is not None
            try:
                self._step(wanted)
            except Stopped:
                continue
            except MatcherError as error:
                self._fail(wanted, str(error))
            except Exception as error:  # the thread must outlive whatever is wrong with one artefact
                self._fail(wanted, f"{type(error).__name__}: {error}")

    def _step(self, wanted: Key) -> None:
        if self._serving is None or self._serving.key != wanted:
            made = Opened(wanted, self._make(wanted))
            with self._changed:
                if self._closed:
                    return
                self._serving, self._failed, self._said = made, None, None
                self._changed.notify_all()
            _log.info("in service: engine %s, revision %s, %s", wanted.folder.name, wanted.revision, wanted.day)
        self._followed = wanted
        if self._after is not None:
            try:
                self._after(self._serving, lambda: self._closed or self._wanted != wanted)
            except (MatcherError, Stopped) as error:  # the lists are served live then
                if not self._closed:
                    _log.warning("not followed up: %s", error)

    def _fail(self, wanted: Key, why: str) -> None:
        with self._changed:
            self._failed = wanted, why, time.monotonic()
            self._changed.notify_all()
        if why != self._said:
            _log.error("the newer engine or facts cannot be opened, those before stay in service: %s", why)
            self._said = why
