"""The base of the specs."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class DataSpec:
    """Sizes that a builder needs, learned from data. A task's spec is a subclass that names the task."""

    task: ClassVar[str]
