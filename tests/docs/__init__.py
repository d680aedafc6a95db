"""The manual says what is true: the tutorial runs, every verb, option and site key is described."""
