"""What a model was trained on, as MLflow's dataset inputs."""

import json
from collections.abc import Sized
from typing import Any

from mlflow import MlflowClient
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.dataset import Dataset
from mlflow.entities import DatasetInput, InputTag

_DIGEST_CHARACTERS = 36  # MLflow takes no more


class FittedData(Dataset):
    """Series, texts or pairs of sentences, by their digest: the data themselves stay where they are.

    Args:
        task: Such as ``forecasting``.
        data_digest: SHA-256 of the data, of which MLflow takes 36 characters; the profile has all of them.
        data: What ``fit`` was given, which is counted if it has a length.
    """

    def __init__(self, task: str, data_digest: str, data: tuple = ()) -> None:
        self._data_digest = data_digest
        first = data[0] if data else None
        self._rows = len(first) if isinstance(first, Sized) and not isinstance(first, str) else None
        source = CodeDatasetSource({"mlflow.source.type": "LOCAL", "mlflow.source.name": "lstmzoo"})
        super().__init__(source, name=task, digest=data_digest[:_DIGEST_CHARACTERS])

    def _compute_digest(self) -> str:
        return self._data_digest[:_DIGEST_CHARACTERS]

    @property
    def profile(self) -> dict[str, Any]:
        """The whole digest, and the number of rows, texts or pairs if it is known."""
        return {"data_digest": self._data_digest, **({} if self._rows is None else {"num_rows": self._rows})}

    @property
    def schema(self) -> None:
        """Signatures of models have it."""
        return None

    def to_dict(self) -> dict[str, str]:
        """What MLflow stores."""
        return {**super().to_dict(), "profile": json.dumps(self.profile)}


def log_data(client: MlflowClient, run_id: str, dataset: FittedData) -> None:
    """Make data an input of a run, for training; an equal input is there once."""
    tags = [InputTag("mlflow.data.context", "training")]
    client.log_inputs(run_id, [DatasetInput(dataset._to_mlflow_entity(), tags)])
