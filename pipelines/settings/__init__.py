"""Settings: from a command line and ``conf/`` to checked values."""
