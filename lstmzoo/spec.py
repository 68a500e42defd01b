"""What a builder needs to know of the data: one frozen dataclass per task, learned by the task's preprocessor."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ForecastingSpec:
    """Sizes of a forecasting network.

    Attributes:
        lookback: T, time steps in a window.
        horizon: H, time steps to forecast.
        num_references: R, reference forecasts.
        num_outputs: Q, numbers a step that make the forecast: quantiles, or a distribution's parameters.
        median_index: Which of the Q quantiles is the median.
        distribution: ``quantiles``, or the name of a distribution; see :data:`lstmzoo.layers.DISTRIBUTIONS`.
        num_known: K, channels known of the past and the future: calendar, future covariates, time differences.
        num_past: P, channels known of the past alone: past covariates, whether a value was observed.
        num_static: S, numbers that describe a series.
        cardinalities: Of each category that describes a series, how many values it has.
        num_series: Series trained on.
        season_length: The shortest season in steps; 1 if there is none.
    """

    lookback: int
    horizon: int
    num_references: int
    num_outputs: int
    median_index: int = 0
    distribution: str = "quantiles"
    num_known: int = 0
    num_past: int = 0
    num_static: int = 0
    cardinalities: tuple[int, ...] = ()
    num_series: int = 1
    season_length: int = 1

    @property
    def num_features(self) -> int:
        """F, channels of the window: the scaled series, the K known ones, the P of the past."""
        return 1 + self.num_known + self.num_past

    @property
    def num_future_features(self) -> int:
        """R + K, channels of the future: references first, then the known ones."""
        return self.num_references + self.num_known


@dataclass(frozen=True)
class LanguageModellingSpec:
    """Sizes of a language model.

    Attributes:
        vocab_size: V, token ids; 0 is the end of a text.
        bptt: T, tokens in a window of training.
        cutoffs: Where an adaptive softmax cuts the ids, which fall in frequency, more or less; none where there are too few to be
            worth it.
    """

    vocab_size: int
    bptt: int
    cutoffs: tuple[int, ...] = ()


@dataclass(frozen=True)
class TranslationSpec:
    """Sizes of a translation model. In both vocabularies 0 ends a sentence, fills it up, and is what the decoder begins with.

    Attributes:
        source_vocab_size: Token ids of the source language.
        target_vocab_size: V, token ids of the target language.
        joint: Whether both are one vocabulary.
    """

    source_vocab_size: int
    target_vocab_size: int
    joint: bool = False
