"""One SQLite file as the service uses it: one process, one writer, a few readers, failures named."""

import fcntl
import os
import queue
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import apsw

from service.errors import ServiceError, StorageFull, StoreError, Unavailable
from service.search import schema

FILE = "store.sqlite3"
READERS = 4  # reads that run at one time; a further one waits for a connection
BUSY_MS = 5_000
WAL_LIMIT_BYTES = 64 * 1024 * 1024  # the log is cut back to this size after a checkpoint

# Every commit is on the disk when it returns (WAL, FULL); each value is read back, because SQLite ignores what it
# cannot do without an error.
PRAGMAS = (("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("cell_size_check", 1))

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


class Database:
    """The open file.

    Any thread may call any method. `_lock` guards the writer connection and is held from BEGIN to COMMIT;
    a reader connection belongs to the thread that took it from the queue, so reads never wait for a write.
    """

    def __init__(
        self, path: Path, writer: apsw.Connection, readers: list[apsw.Connection], resources: ExitStack
    ) -> None:
        self.path = path
        self._writer = writer
        self._lock = threading.Lock()
        self._last_write_failed = False
        self._readers: queue.SimpleQueue[apsw.Connection] = queue.SimpleQueue()
        for reader in readers:
            self._readers.put(reader)
        self._resources = resources

    @classmethod
    def open(cls, data_dir: Path) -> "Database":
        """Open or create `data_dir/store.sqlite3`.

        Raises StoreError if another process has it, or if it is damaged, foreign, newer or cannot be opened.
        """
        path = data_dir / FILE
        with ExitStack() as resources, refusing_damage(path):
            _claim(data_dir, resources)
            if not path.exists():
                _create(path)
            writer = resources.enter_context(closing(apsw.Connection(str(path), apsw.SQLITE_OPEN_READWRITE)))
            schema.check(writer, path)
            _configure(writer, path)
            schema.migrate(writer)
            if writer.pragma("integrity_check") != "ok":
                raise StoreError(f"{path} has damaged pages: restore it from a backup, or move it away to start empty.")
            readers = [
                resources.enter_context(closing(apsw.Connection(str(path), apsw.SQLITE_OPEN_READONLY)))
                for _ in range(READERS)
            ]
            for reader in readers:
                reader.set_busy_timeout(BUSY_MS)
            return cls(path, writer, readers, resources.pop_all())

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
    def reading(self) -> Iterator[apsw.Connection]:
        """One unchanging view of what is committed; raises Unavailable when the disk cannot be read."""
        reader = self._readers.get()
        try:
            with _transaction(reader, "BEGIN"):
                yield reader
        finally:
            self._readers.put(reader)

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
        with self._lock:
            readers = [self._readers.get() for _ in range(READERS)]
            self._resources.close()
            for reader in readers:
                self._readers.put(reader)


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
    lock = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    resources.callback(os.close, lock)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StoreError(
            f"{data_dir} is in use by another process: stop that one, or choose another data directory."
        ) from None


def _create(path: Path) -> None:
    """Make the file under another name first, so that a file with the right name is always whole."""
    log = Path(f"{path}-wal")
    if log.exists():
        raise StoreError(f"{path} is missing but its log {log.name} is there: restore both, or move the log away.")
    unfinished = path.with_suffix(".new")
    unfinished.unlink(missing_ok=True)
    with closing(apsw.Connection(str(unfinished))) as connection:
        connection.pragma("journal_mode", "memory")  # no second file that a crash could leave behind
        schema.migrate(connection)
    unfinished.rename(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _configure(connection: apsw.Connection, path: Path) -> None:
    connection.set_busy_timeout(BUSY_MS)
    connection.pragma("journal_size_limit", WAL_LIMIT_BYTES)
    for name, value in PRAGMAS:
        connection.pragma(name, value)
        found = connection.pragma(name)
        if found != value:
            raise StoreError(f"{path}: {name} is {found} where {value} is needed: choose a disk that can do it.")
