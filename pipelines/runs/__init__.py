"""Runs: their folders, configurations, provenance and the locks that keep two processes out of one."""
