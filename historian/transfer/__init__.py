"""History in and out: files for other programs, files from them, backups, and the search for damage.

Lives here: export and import (CSV, Parquet, line protocol), backup, restore and verify, `check`. Everything is bounded in
memory, can be interrupted and gone on with, and counts what it did. No command line and no clock: times are arguments.
May import the rest of `historian`; nothing of `historian` imports it.
"""
