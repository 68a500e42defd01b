"""Builders: one file per topology, each a function from a spec and hyperparameters to an uncompiled Keras model.

Forecasters map ``window`` (B, T, F) and ``future`` (B, H, R + K) to forecasts (B, H, Q). Sizes: B batch, T
``spec.lookback``, H ``spec.horizon``, F ``spec.num_features``, R ``spec.num_references``, K ``spec.num_known``, Q
``spec.num_outputs``, U units. If series are described by numbers or categories, these are inputs of every model too. ``dropout``
is the rate between layers and before the head.

Language models map ``tokens`` (B, T) and ``targets`` (B, T), the tokens that follow each, to negative log-likelihoods (B, T).
Sizes: B rows, T ``spec.bptt``, V ``spec.vocab_size``, E embedding, D hidden state that tokens are predicted from, U units.
``dropout`` is the rate of the inputs of each layer and of the softmax, ``tied`` whether the embedding and the softmax share a
matrix, ``softmax`` ``full``, or ``adaptive`` if the vocabulary is large enough for it to pay.

Translation models map ``source`` (B, S), ``previous`` (B, T), the token before each target, and ``targets`` (B, T) to negative
log-likelihoods (B, T), 0 at the padding. Sizes: B batch, S source positions, T target positions, V target vocabulary, E
embedding, M memory, U units. ``dropout`` is that of language models, ``label_smoothing`` the share of the probability that
training spreads over all tokens; ``tied`` is explained in :func:`lstmzoo.models._translation.translation_model`.

Every builder takes ``spec``, the sizes learned from the training data. ``cell`` is the name of the recurrent cell, ``units`` the
size of each hidden state, ``num_layers`` the number of recurrent layers, of encoder and decoder each, and ``embedding_dim`` E.
Docstrings of builders have the arguments that are not explained here.
"""
