"""One SQLite file as the service uses it: one process, one writer, a few readers, failures named."""

import fcntl
import os
import queue
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import cache
from pathlib import Path
from typing import TypeAlias

import apsw
import apsw.sqlite_extra

from models.files import sync_directory
from service.errors import ServiceError, StorageFull, StoreError, Unavailable
from service.search.store import schema, upgrade

FILE = "store.sqlite3"
READERS = 4  # reads that run at one time; a further one waits for a connection
LONG_READERS = 2  # the same for reads of a whole collection
BUSY_MS = 5_000
WAL_LIMIT_BYTES = 64 * 1024 * 1024  # the log is cut back to this size after a checkpoint
CHECKPOINT_PAGES = 4_000  # 16 MB: pages of indexes that many batches change go to their place once

# Every commit is on the disk when it returns (WAL, FULL); each value is read back, because SQLite ignores what it
# cannot do without an error.
PRAGMAS = (("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("cell_size_check", 1))

# The last bytes of each page: its checksum, which SQLite's own extension puts there when the page is written and checks
# when it is read from the disk. It covers what no digest covers: indexes, the tables of fields and of words.
CHECKSUM_BYTES = 8
CHECKSUMS = "cksumvfs"
CHECKED_FILES = "cksmvfs"  # what the extension calls itself

RUNS = (
    apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER,
    apsw.SQLITE_DBCONFIG_ENABLE_VIEW,
    apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA,
)

OUT_OF_ROOM = {apsw.SQLITE_FULL, apsw.SQLITE_IOERR_WRITE, apsw.SQLITE_IOERR_SHMSIZE}
DISK_FAILURES = (
    apsw.FullError,
    apsw.IOError,
    apsw.ReadOnlyError,
    apsw.CantOpenError,
    apsw.BusyError,
    apsw.CorruptError,
    apsw.NotADBError,
    apsw.NoMemError,
    apsw.ConnectionClosedError,
)

Readers: TypeAlias = "queue.SimpleQueue[apsw.Connection]"


class Database:
    """The open file.

    Any thread may call any method. `_lock` guards the writer connection and is held from BEGIN to COMMIT;
    a reader connection belongs to the thread that took it from the queue, so reads never wait for a write.
    """

    def __init__(
        self, path: Path, writer: apsw.Connection, readers: Readers, long_readers: Readers, resources: ExitStack
    ) -> None:
        self.path = path
        self._writer = writer
        self._lock = threading.Lock()
        self._last_write_failed = False
        self._readers = readers
        self._long_readers = long_readers
        self._resources = resources

    @classmethod
    def open(cls, data_dir: Path) -> "Database":
        """Open or create `data_dir/store.sqlite3`; a file of an older version is replaced by a copy of this one.

        Raises StoreError if another process has it, or if it is damaged, foreign, newer or cannot be opened.
        """
        path = data_dir / FILE
        with ExitStack() as resources, refusing_damage(path):
            _claim(data_dir, resources)
            if not os.path.lexists(path):
                _create(path)
            if not path.is_file():
                raise StoreError(f"{path} is no file, or a link to none: see to it that its disk is there.")
            _require_own_log(path)
            writer = resources.enter_context(closing(connect(path, apsw.SQLITE_OPEN_READWRITE)))
            schema.check(writer, path)
            if schema.is_old(writer):
                writer = resources.enter_context(closing(_upgraded(writer, path)))
            _configure(writer, path)
            _require_whole(writer, path)
            readers, long_readers = (_readers(path, number, resources) for number in (READERS, LONG_READERS))
            return cls(path, writer, readers, long_readers, resources.pop_all())

    @contextmanager
    def writing(self) -> Iterator[apsw.Connection]:
        """One transaction: committed and on the disk when the block ends, undone if it raises.

        Raises StorageFull or Unavailable when the disk does not take it.
        """
        with self._lock:
            committed = False
            try:
                with _transaction(self._writer, "BEGIN IMMEDIATE"):
                    yield self._writer
                committed = True
            finally:
                self._last_write_failed = not committed

    @contextmanager
    def reading(self, *, long: bool = False) -> Iterator[apsw.Connection]:
        """One unchanging view of what is committed; raises Unavailable when the disk cannot be read.

        `long` is for what takes so long that other reads should not wait for its connection.
        """
        readers = self._long_readers if long else self._readers
        reader = readers.get()
        try:
            with _transaction(reader, "BEGIN"):
                yield reader
        finally:
            readers.put(reader)

    def is_writable(self) -> bool:
        """Whether writes work: as the last one said, and if it failed, by writing once more."""
        if not self._last_write_failed:
            return True
        try:
            with self.writing() as connection:
                connection.pragma("user_version", schema.VERSION)
        except ServiceError:
            return False
        return True

    def close(self) -> None:
        """Let running reads and writes end, then close the file; every later call raises Unavailable."""
        with self._lock, ExitStack() as later:
            for readers, number in ((self._readers, READERS), (self._long_readers, LONG_READERS)):
                for reader in [readers.get() for _ in range(number)]:
                    later.callback(readers.put, reader)
            self._resources.close()


def connect(path: Path, flags: int = apsw.SQLITE_OPEN_READWRITE) -> apsw.Connection:
    """Open a file of which the checksums of pages are checked, if it has them."""
    _load_checksums()
    connection = apsw.Connection(str(path), flags, vfs=CHECKED_FILES)
    connection.set_busy_timeout(BUSY_MS)
    return _running_nothing(connection)


def connect_unchanging(path: Path) -> apsw.Connection:
    """Open a file that nobody writes, to read it: a log or a journal beside it is not looked at."""
    _load_checksums()
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    return _running_nothing(apsw.Connection(f"{path.resolve().as_uri()}?immutable=1", flags, vfs=CHECKED_FILES))


def _running_nothing(connection: apsw.Connection) -> apsw.Connection:
    """Of what somebody else may have put into a file: we make no triggers and no views."""
    for setting in RUNS:
        connection.config(setting, 0)
    return connection


@contextmanager
def refusing_damage(path: Path) -> Iterator[None]:
    """For start-up: turn what SQLite, the system or our own checks say about an unusable file into StoreError."""
    try:
        yield
    except (apsw.Error, Unavailable, UnicodeDecodeError, OSError) as error:
        reason = error.message if isinstance(error, Unavailable) else f"{type(error).__name__}: {error}"
        raise StoreError(
            f"{path} cannot be used ({reason}): check the disk and the permissions, or restore the file from a backup."
        ) from error


@contextmanager
def _transaction(connection: apsw.Connection, begin: str) -> Iterator[None]:
    try:
        connection.execute(begin)
        try:
            yield
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
    except DISK_FAILURES as error:
        if getattr(error, "extendedresult", None) in OUT_OF_ROOM:
            raise StorageFull(
                "The disk has no room for this write; nothing of it was kept. Free some space."
            ) from error
        raise Unavailable(f"The store cannot be used at the moment ({type(error).__name__}).") from error


def _claim(data_dir: Path, resources: ExitStack) -> None:
    """Hold `data_dir` for this process; the system lets go of it when the process ends, however it ends."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    resources.callback(os.close, lock)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StoreError(
            f"{data_dir} is in use by another process: stop that one, or choose another data directory."
        ) from None


@cache
def _load_checksums() -> None:
    """From now on SQLite knows how to check pages, in this whole process."""
    try:
        with closing(apsw.Connection(":memory:")) as connection:
            apsw.sqlite_extra.load(connection, CHECKSUMS)
    except (LookupError, apsw.sqlite_extra.NotAvailable, apsw.ExtensionLoadingError) as error:
        raise StoreError(
            f"SQLite's extension {CHECKSUMS} cannot be loaded ({error}): install apsw from its wheel, which has it."
        ) from error


def _readers(path: Path, number: int, resources: ExitStack) -> Readers:
    readers: Readers = queue.SimpleQueue()
    for _ in range(number):
        readers.put(resources.enter_context(closing(connect(path, apsw.SQLITE_OPEN_READONLY))))
    return readers


def _create(path: Path) -> None:
    """Make the file under another name first, so that a file with the right name is always whole."""
    log = _log_of(path)
    if log.exists():
        raise StoreError(f"{path} is missing but its log {log.name} is there: restore both, or move the log away.")
    _unfinished(path).rename(path)
    sync_directory(path.parent)


def _upgraded(old: apsw.Connection, path: Path) -> apsw.Connection:
    """Replace the file of an older version by its copy in this version; until that is whole, the old one stays.

    A copy, because only a new file can have checksums.
    """
    _require_whole(old, path)
    unfinished = _unfinished(path)
    with closing(connect(unfinished)) as new:
        new.pragma("journal_mode", "memory")  # no second file that a crash could leave behind
        upgrade.copy(old, new)
    old.close()
    if _log_of(path).exists():
        raise StoreError(f"{path} could not be closed: free some space on its disk, or check the permissions.")
    unfinished.rename(path)
    sync_directory(path.parent)
    return connect(path)


def _unfinished(path: Path) -> Path:
    """A new file with empty tables, beside the one that it is to become."""
    unfinished = path.with_suffix(".new")
    unfinished.unlink(missing_ok=True)
    with closing(connect(unfinished, apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE)) as connection:
        connection.reserve_bytes("main", CHECKSUM_BYTES)
        connection.pragma("journal_mode", "memory")
        schema.create(connection)
    return unfinished


def _require_own_log(path: Path) -> None:
    """SQLite would follow a link beside its file, and write there."""
    for ending in ("-wal", "-shm", "-journal"):
        if Path(f"{path}{ending}").is_symlink():
            raise StoreError(f"{path}{ending} is a link: move it away, or put the whole data directory elsewhere.")


def _log_of(path: Path) -> Path:
    return Path(f"{path}-wal")


def _require_whole(connection: apsw.Connection, path: Path) -> None:
    """Look at every page: a million rows of width 384 with text take 5 s, a tenth more than `quick_check`, which does
    not look whether indexes have what their tables have."""
    if connection.pragma("integrity_check", 1) != "ok":
        raise StoreError(f"{path} has damaged pages: restore it from a backup, or move it away to start empty.")
    if not schema.is_old(connection) and connection.reserve_bytes() != CHECKSUM_BYTES:
        raise StoreError(f"{path} has no checksums: restore it from a backup, or move it away to start empty.")


def _configure(connection: apsw.Connection, path: Path) -> None:
    connection.pragma("journal_size_limit", WAL_LIMIT_BYTES)
    connection.pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
    for name, value in PRAGMAS:
        connection.pragma(name, value)
        found = connection.pragma(name)
        if found != value:
            raise StoreError(f"{path}: {name} is {found} where {value} is needed: choose a disk that can do it.")
