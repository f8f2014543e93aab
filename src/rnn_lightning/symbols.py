"""Reserved numbers of words and characters, the same in corpora, batches and models."""

PADDING = 0
"""The character that fills a word up to the longest of its batch."""

UNKNOWN_WORD = 0
"""The word that stands for all that a vocabulary lacks."""

UNKNOWN_CHARACTER = 1
"""The character that stands for all that a vocabulary lacks."""
