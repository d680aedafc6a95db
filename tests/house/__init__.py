"""Small shared modules (clock, data directory, users, roles, arming, command line texts) and the house rules."""
