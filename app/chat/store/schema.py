"""The tables of the chats, as version 1 made them.

Messages form a tree: `parent` is what a message answers or follows, siblings are its versions, and a
chat's `head` is the end of the branch that is shown. Siblings are in the order of their ids, which only
grow, and a parent has a smaller id than its children: no chain can bite its own tail. Texts stand in a
table of their own, so that a long chat is listed without reading them.

The link to the parent does not cascade, because SQLite follows a cascade by recursion and gives up on
a chain of 1,000. It is checked at the end of a transaction instead. Every referencing column has an
index: SQLite looks for references whenever a row goes.
"""

#: "Qw2C" in the file's header: other SQLite files are not ours.
APPLICATION_ID = int.from_bytes(b"Qw2C", "big")

FIRST = """
CREATE TABLE chats (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    title TEXT NOT NULL,
    named INTEGER NOT NULL,        -- 1: the title was chosen by a person
    options TEXT NOT NULL,         -- JSON object
    head INTEGER REFERENCES messages (id) ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED,
    draft TEXT NOT NULL DEFAULT '',
    folder TEXT NOT NULL,
    pinned INTEGER NOT NULL DEFAULT 0,
    archived INTEGER NOT NULL DEFAULT 0,
    deleted REAL,                  -- all times in seconds since 1970
    created REAL NOT NULL,
    updated REAL NOT NULL
) STRICT;
CREATE INDEX chats_by_head ON chats (head);
CREATE INDEX chats_by_update ON chats (pinned, updated);
CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    chat INTEGER NOT NULL REFERENCES chats (id) ON DELETE CASCADE,
    parent INTEGER REFERENCES messages (id) DEFERRABLE INITIALLY DEFERRED CHECK (parent < id),
    depth INTEGER NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('user', 'assistant')),
    state TEXT NOT NULL
        CHECK (state IN ('complete', 'streaming', 'stopped', 'length', 'error', 'interrupted')),
    writer TEXT NOT NULL DEFAULT '',   -- the process that writes or wrote it, of answers
    edited_from INTEGER REFERENCES messages (id) ON DELETE SET NULL,
    viewed INTEGER REFERENCES messages (id) ON DELETE SET NULL,   -- the child that was shown last
    deletion INTEGER REFERENCES deletions (id) DEFERRABLE INITIALLY DEFERRED,
    characters INTEGER NOT NULL,
    created REAL NOT NULL,
    finished REAL
) STRICT;
CREATE INDEX messages_by_chat ON messages (chat, parent);
CREATE INDEX messages_by_parent ON messages (parent);
CREATE INDEX messages_by_role ON messages (role, id);
CREATE INDEX messages_by_source ON messages (edited_from);
CREATE INDEX messages_by_viewed ON messages (viewed);
CREATE INDEX messages_by_deletion ON messages (deletion);
CREATE INDEX messages_streaming ON messages (state) WHERE state = 'streaming';
-- Messages that went to the trash together.
CREATE TABLE deletions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    chat INTEGER NOT NULL REFERENCES chats (id) ON DELETE CASCADE,
    message INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,   -- the others follow it
    head INTEGER REFERENCES messages (id) ON DELETE SET NULL,              -- of the chat, before
    deleted REAL NOT NULL
) STRICT;
CREATE INDEX deletions_by_chat ON deletions (chat);
CREATE INDEX deletions_by_message ON deletions (message);
CREATE INDEX deletions_by_head ON deletions (head);
CREATE TABLE texts (
    message INTEGER PRIMARY KEY REFERENCES messages (id) ON DELETE CASCADE,
    content TEXT NOT NULL,
    error TEXT NOT NULL DEFAULT '',
    generation TEXT,               -- JSON object
    document TEXT                  -- JSON object
) STRICT;
CREATE TABLE journal (
    message INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    fragment TEXT NOT NULL,
    PRIMARY KEY (message, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE citations (
    message INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    file INTEGER NOT NULL,         -- in the document library
    sha256 TEXT NOT NULL,
    name TEXT NOT NULL,
    place TEXT NOT NULL,
    first INTEGER NOT NULL,
    stop INTEGER NOT NULL,
    quote TEXT NOT NULL,
    match TEXT NOT NULL CHECK (match IN ('exact', 'fuzzy')),
    score REAL NOT NULL,
    PRIMARY KEY (message, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE readings (
    message INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
    file INTEGER NOT NULL,
    first INTEGER NOT NULL,
    stop INTEGER NOT NULL,
    score REAL NOT NULL,
    PRIMARY KEY (message, file, first, stop)
) STRICT, WITHOUT ROWID;
CREATE TABLE attachments (
    chat INTEGER NOT NULL REFERENCES chats (id) ON DELETE CASCADE,
    file INTEGER NOT NULL,         -- in the document library
    sha256 TEXT NOT NULL,
    name TEXT NOT NULL,
    path BLOB NOT NULL,            -- as the system writes it
    attached REAL NOT NULL,
    PRIMARY KEY (chat, file)
) STRICT, WITHOUT ROWID;
CREATE TABLE presets (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    options TEXT NOT NULL          -- JSON object
) STRICT;
CREATE TABLE templates (
    slug TEXT PRIMARY KEY,
    title TEXT NOT NULL,
    body TEXT NOT NULL
) STRICT;
-- Terms of the texts of messages by their id, and of the titles of chats by their negative id. The
-- ascii tokeniser takes every other character for a letter: terms are split at spaces only.
CREATE VIRTUAL TABLE terms USING fts5 (body, content = '', tokenize = 'ascii');
"""
