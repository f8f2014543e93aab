"""A page in the browser on which finished runs are tried."""
