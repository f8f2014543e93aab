"""Raw items to arrays, and answers in plain values: what predictors share with exported networks, without PyTorch."""
