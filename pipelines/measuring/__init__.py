"""Trained models measured: on the test split of their own corpus, and on that of another."""
