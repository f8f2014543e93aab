"""Reserved numbers and names of words and characters, the same in corpora, batches and models."""

UNKNOWN_TOKEN = "<unk>"
"""The token of a tokenizer that stands for all that its vocabulary lacks."""

PADDING = 0
"""The character that fills a word up to the longest of its batch."""

UNKNOWN_WORD = 0
"""The word that stands for all that a vocabulary lacks."""

UNKNOWN_CHARACTER = 1
"""The character that stands for all that a vocabulary lacks."""
