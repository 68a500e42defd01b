"""The shapes that translations are decoded in: each is compiled, so there are few."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Shapes:
    """Sizes of a search; what is smaller is filled up.

    Attributes:
        rows: Sentences side by side, descending.
        lengths: Positions of the padded sources, ascending; if there are none, 8, 12, 16, 24, 32, ...
        beams: Places for hypotheses, ascending; if there are none, as many as are followed.
    """

    rows: tuple[int, ...]
    lengths: tuple[int, ...] = ()
    beams: tuple[int, ...] = ()

    def places(self, beam_size: int) -> int | None:
        """The places that a search has which follows so many hypotheses; None for just as many."""
        return next(beam for beam in self.beams if beam >= beam_size) if self.beams else None


MAX_TOKENS = 1024  # of a sentence
ANY = Shapes(rows=(64, 32, 16, 8, 1))
SERVED = Shapes(rows=(8, 1), lengths=(32, 128, 512, MAX_TOKENS + 1), beams=(5, 12, 50))
