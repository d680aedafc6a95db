"""What the historian does in the background: journal into day files, compaction, seals, retention.

Lives here: work that runs in a thread with connections of its own, so that no commit waits for it. Every step is a
transaction; after a crash between two of them the next start does the rest.
"""
