"""What several test rooms share: waiting for real processes, a small compiled site."""
