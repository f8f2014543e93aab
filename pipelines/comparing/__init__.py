"""Comparisons: finished runs to tables, tests of differences, figures and reports."""
