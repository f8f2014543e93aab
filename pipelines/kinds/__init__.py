"""Kinds of tasks: what each prepares before its training, adds to its test, and answers to a line."""
