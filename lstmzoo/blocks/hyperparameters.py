"""Types of hyperparameters. The values of a zoo config are checked against them."""

from typing import Annotated

from pydantic import Field

Count = Annotated[int, Field(gt=0)]
Rate = Annotated[float, Field(ge=0, lt=1)]
