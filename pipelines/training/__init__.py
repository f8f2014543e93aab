"""Training: from settings to a folder of ``trained/``, in one process or several."""
