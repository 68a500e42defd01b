"""Builders: one file per topology, each a function from a spec and hyperparameters to an uncompiled Keras model.

Forecasters take ``window`` (B, T, F) and ``future`` (B, H, R + K), and give forecasts (B, H, Q). Sizes: B batch, T
``spec.lookback``, H ``spec.horizon``, F ``spec.num_features``, R ``spec.num_references``, K ``spec.num_known``, Q
``spec.num_outputs``, U units. Where series are described by numbers or categories, these are inputs of every model too.
"""
