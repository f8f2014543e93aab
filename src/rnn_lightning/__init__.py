"""Recurrent networks as LightningModules."""
