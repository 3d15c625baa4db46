"""Fuzzing of the redactor and of the walk through structures: `make fuzz`, and the seeds of it as ordinary tests."""
