"""How values are shown to people: numbers in words, figures in files."""
