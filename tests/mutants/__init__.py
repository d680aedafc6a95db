"""Mutation testing of what decides about a plant: would a test notice if a line of it were wrong?

`mutate` makes the mutants of a module, `trace` learns which test runs which function, `run` tries a sample of them:
`make mutants`. Mutants live in memory only (an import hook in a forked process); no file is changed.

Why not mutmut: it copies the tree, rewrites every function into a trampoline, and cannot take a sample from a seed.
"""
