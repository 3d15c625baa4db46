"""Mutation testing of the rooms on which the promises stand; run by hand, see `make mutants`."""
