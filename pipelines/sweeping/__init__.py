"""Search for hyperparameters: what may vary, the study that remembers, the trials that run, what is kept of them."""
