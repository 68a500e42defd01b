"""The training data of a model, as an input of its MLflow run."""

import json
from collections.abc import Sized
from typing import Any

from mlflow import MlflowClient
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.dataset import Dataset
from mlflow.entities import Dataset as DatasetEntity
from mlflow.entities import DatasetInput, InputTag

from lstmzoo.contracts import Data

_DIGEST_CHARACTERS = 36  # MLflow takes no more


class FittedData(Dataset):
    """The digest of training data; the data are not copied.

    Args:
        task: The estimator's task.
        data_digest: SHA-256 of the data. MLflow takes 36 characters; the profile has all.
        data: The arguments of ``fit``; the first is counted if it has a length.
    """

    def __init__(self, task: str, data_digest: str, data: Data = ()) -> None:
        self._data_digest = data_digest
        first = data[0] if data else None
        self._rows = len(first) if isinstance(first, Sized) and not isinstance(first, str) else None
        source = CodeDatasetSource({"mlflow.source.type": "LOCAL", "mlflow.source.name": "lstmzoo"})
        super().__init__(source, name=task, digest=data_digest[:_DIGEST_CHARACTERS])

    def _compute_digest(self) -> str:
        return self._data_digest[:_DIGEST_CHARACTERS]

    @property
    def profile(self) -> dict[str, Any]:
        """The whole digest, and the number of rows, texts or pairs if known."""
        return {"data_digest": self._data_digest, **({} if self._rows is None else {"num_rows": self._rows})}

    @property
    def schema(self) -> None:
        """No schema: the model's signature has it."""
        return None

    def to_dict(self) -> dict[str, str]:
        """Return the fields that MLflow stores."""
        return {**super().to_dict(), "profile": json.dumps(self.profile)}


def log_data(client: MlflowClient, run_id: str, dataset: FittedData) -> None:
    """Add training data to the inputs of a run; equal data are added once."""
    tags = [InputTag("mlflow.data.context", "training")]
    client.log_inputs(run_id, [DatasetInput(DatasetEntity(**dataset.to_dict()), tags)])
