"""Benchmarks, one file a room, each beside named peers in the same run: `make bench ROOM=image`."""
