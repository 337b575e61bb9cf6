"""The tables of a library, one step of `MIGRATIONS` after the other.

`sets` are chunk sets: one way to cut one file. The id of a chunk is its set's times 2**24 plus its
number in the set, so that the chunks of a set follow each other and the index needs no other column
to know them by. `terms` is a full-text index without a copy of what it indexes.
"""

from app.ask.library.terms import TERMS_VERSION

#: "Qw2L" in the file's header: other SQLite files are not ours.
APPLICATION_ID = int.from_bytes(b"Qw2L", "big")

#: Bits of a chunk's number in its set.
NUMBER_BITS = 24

_FIRST = """
CREATE TABLE files (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    path BLOB NOT NULL,            -- as the system writes it; empty for stdin
    name TEXT NOT NULL,
    sha256 TEXT NOT NULL,          -- of the bytes
    parser INTEGER NOT NULL,       -- version of what read it
    kind TEXT NOT NULL,
    unit TEXT NOT NULL,
    characters INTEGER NOT NULL,
    text_sha256 TEXT NOT NULL,     -- of the text in UTF-8
    warnings TEXT NOT NULL,        -- JSON list
    stamp TEXT NOT NULL,           -- size, times and inode when the bytes were last compared
    added REAL NOT NULL,           -- seconds since 1970
    gone INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX files_by_path ON files (path) WHERE gone = 0 AND path <> x'';
CREATE INDEX files_by_content ON files (sha256);
CREATE TABLE pieces (
    file INTEGER NOT NULL,
    number INTEGER NOT NULL,
    lines INTEGER NOT NULL,        -- line breaks before it
    text TEXT NOT NULL,
    PRIMARY KEY (file, number)
);
CREATE TABLE pages (
    file INTEGER NOT NULL,
    position INTEGER NOT NULL,     -- in the list of pages, from 0 on
    number INTEGER NOT NULL,
    first INTEGER NOT NULL,
    stop INTEGER NOT NULL,
    label TEXT NOT NULL,
    PRIMARY KEY (file, position)
) WITHOUT ROWID;
CREATE INDEX pages_by_start ON pages (file, first, position);
CREATE TABLE headings (
    file INTEGER NOT NULL,
    position INTEGER NOT NULL,
    first INTEGER NOT NULL,
    level INTEGER NOT NULL,
    title TEXT NOT NULL,
    PRIMARY KEY (file, position)
) WITHOUT ROWID;
CREATE TABLE sets (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    file INTEGER NOT NULL,
    cutter TEXT NOT NULL,          -- its key
    done INTEGER NOT NULL DEFAULT 0,
    chunks INTEGER NOT NULL DEFAULT 0,
    tokens INTEGER NOT NULL DEFAULT 0,   -- overlaps counted once
    words INTEGER NOT NULL DEFAULT 0,    -- indexed terms of all chunks
    UNIQUE (file, cutter)
);
CREATE TABLE chunks (
    id INTEGER PRIMARY KEY,
    first INTEGER NOT NULL,
    stop INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    overlap INTEGER NOT NULL,
    words INTEGER NOT NULL,
    heading TEXT NOT NULL
);
-- The ascii tokeniser takes every other character for a letter: terms are split at spaces only.
CREATE VIRTUAL TABLE terms USING fts5 (body, heading, content = '', tokenize = 'ascii');
CREATE VIRTUAL TABLE occurrences USING fts5vocab (terms, instance);
CREATE TABLE scores (
    id INTEGER PRIMARY KEY AUTOINCREMENT,   -- in the order of saving
    key BLOB NOT NULL UNIQUE,
    score REAL NOT NULL
);
CREATE TABLE notes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key BLOB NOT NULL UNIQUE,
    spans TEXT NOT NULL            -- JSON list of [file, start, end]
);
CREATE TABLE speeds (
    name TEXT PRIMARY KEY,
    value REAL NOT NULL,
    measured INTEGER NOT NULL      -- how often
) WITHOUT ROWID;
CREATE TABLE turns (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    conversation TEXT NOT NULL,
    question TEXT NOT NULL,
    standalone TEXT NOT NULL,
    answer TEXT NOT NULL,          -- JSON object
    files TEXT NOT NULL,           -- JSON list of [id, path]
    asked REAL NOT NULL            -- seconds since 1970
);
CREATE INDEX turns_by_conversation ON turns (conversation, id);
"""

#: Step n makes version n of version n - 1. Never change a step that was released: add one.
MIGRATIONS = (_FIRST,)

assert TERMS_VERSION == 1, "other terms need a migration that empties sets, chunks and terms"
