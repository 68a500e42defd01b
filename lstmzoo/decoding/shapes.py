"""The shapes in which translations are decoded. Each is compiled, so there are few."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Shapes:
    """Sizes of a search; smaller inputs are padded.

    Attributes:
        rows: Numbers of sentences in a batch, descending.
        lengths: Lengths of padded sources, ascending; empty for 8, 12, 16, 24, 32, ...
        beams: Widths of the beam, ascending; empty for exactly the size of the beam.
    """

    rows: tuple[int, ...]
    lengths: tuple[int, ...] = ()
    beams: tuple[int, ...] = ()

    def places(self, beam_size: int) -> int | None:
        """The width of a search of that beam size; None for exactly the size."""
        return next(beam for beam in self.beams if beam >= beam_size) if self.beams else None


MAX_TOKENS = 1024  # per sentence
ANY = Shapes(rows=(64, 32, 16, 8, 1))
SERVED = Shapes(rows=(8, 1), lengths=(32, 128, 512, MAX_TOKENS + 1), beams=(5, 12, 50))
