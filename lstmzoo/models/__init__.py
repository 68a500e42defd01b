"""Builders: one file per topology, each a function from a spec and hyperparameters to an uncompiled Keras model.

Forecasters take ``window`` (B, T, F) and ``future`` (B, H, R + K), and give forecasts (B, H, Q). Sizes: B batch, T
``spec.lookback``, H ``spec.horizon``, F ``spec.num_features``, R ``spec.num_references``, K ``spec.num_known``, Q
``spec.num_outputs``, U units. Where series are described by numbers or categories, these are inputs of every model too.

Language models take ``tokens`` (B, T) and ``targets`` (B, T), the tokens that follow each, and give negative log-likelihoods
(B, T). Sizes: B rows, T ``spec.bptt``, V ``spec.vocab_size``, E embedding, D what tokens are predicted from, U units.

Translation models take ``source`` (B, S), ``previous`` (B, T), the token before each target, and ``targets`` (B, T), and give
negative log-likelihoods (B, T), 0 for padding. Sizes: B batch, S source positions, T target positions, V target vocabulary, E
embedding, M memory, U units.
"""
