"""Builders: one file per topology, each a function from a spec and hyperparameters to an uncompiled Keras model."""
