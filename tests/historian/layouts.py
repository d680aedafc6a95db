"""History files as earlier versions made them: all chunks in the one file."""

from __future__ import annotations

APPLICATION = 0x434C4849
LAYOUT_1 = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE tag (id INTEGER PRIMARY KEY, path TEXT NOT NULL, type TEXT NOT NULL);
CREATE TABLE position (
    writer TEXT, ring TEXT, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL, PRIMARY KEY (writer, ring)
) WITHOUT ROWID;
CREATE TABLE journal (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, t0 INTEGER NOT NULL, t1 INTEGER NOT NULL, n INTEGER NOT NULL,
    samples BLOB NOT NULL
);
CREATE TABLE damaged (id INTEGER PRIMARY KEY, samples BLOB NOT NULL);
CREATE TABLE chunk (
    id INTEGER PRIMARY KEY AUTOINCREMENT, tag INTEGER NOT NULL, t0 INTEGER NOT NULL, t1 INTEGER NOT NULL,
    n INTEGER NOT NULL, samples BLOB NOT NULL
);
CREATE TABLE text (
    id INTEGER PRIMARY KEY, tag INTEGER NOT NULL, t INTEGER NOT NULL, status INTEGER NOT NULL, text TEXT NOT NULL
);
CREATE INDEX text_tag ON text (tag, t);
CREATE INDEX text_age ON text (t);
CREATE TABLE event (
    id INTEGER PRIMARY KEY, t INTEGER NOT NULL, kind TEXT NOT NULL, json TEXT NOT NULL
);
CREATE INDEX event_time ON event (t);
CREATE INDEX event_kind ON event (kind, t);
CREATE INDEX chunk_tag ON chunk (tag, t0, t1);
CREATE INDEX chunk_age ON chunk (t1);
PRAGMA application_id = 1129072713;
PRAGMA user_version = 1;
"""
LAYOUT_2 = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE tag (id INTEGER PRIMARY KEY, path TEXT NOT NULL, type TEXT NOT NULL);
CREATE TABLE position (
    writer TEXT, ring TEXT, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL, PRIMARY KEY (writer, ring)
) WITHOUT ROWID;
CREATE TABLE journal (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, t0 INTEGER NOT NULL, t1 INTEGER NOT NULL, n INTEGER NOT NULL,
    samples BLOB NOT NULL
);
CREATE TABLE damaged (id INTEGER PRIMARY KEY, samples BLOB NOT NULL);
CREATE TABLE chunk (
    id INTEGER PRIMARY KEY AUTOINCREMENT, tag INTEGER NOT NULL, t0 INTEGER NOT NULL, t1 INTEGER NOT NULL,
    n INTEGER NOT NULL, times INTEGER, samples BLOB NOT NULL
);
CREATE TABLE text (
    id INTEGER PRIMARY KEY, tag INTEGER NOT NULL, t INTEGER NOT NULL, status INTEGER NOT NULL, text TEXT NOT NULL
);
CREATE INDEX text_tag ON text (tag, t);
CREATE INDEX text_age ON text (t);
CREATE TABLE event (
    id INTEGER PRIMARY KEY, t INTEGER NOT NULL, kind TEXT NOT NULL, json TEXT NOT NULL
);
CREATE INDEX event_time ON event (t);
CREATE INDEX event_kind ON event (kind, t);
CREATE TABLE times (
    id INTEGER PRIMARY KEY AUTOINCREMENT, digest BLOB NOT NULL UNIQUE, t1 INTEGER NOT NULL, block BLOB NOT NULL
);
CREATE INDEX times_age ON times (t1);
CREATE INDEX chunk_age ON chunk (t1, times);
CREATE INDEX chunk_tag ON chunk (tag, t1, t0, n);
CREATE INDEX chunk_short ON chunk (tag, t0, t1, n) WHERE n < 4096;
PRAGMA application_id = 1129072713;
PRAGMA user_version = 2;
"""
