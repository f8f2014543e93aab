"""Documentation made from what is in the repository: tables and pictures of stored results, the map of the modules."""
