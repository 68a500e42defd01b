"""The PyTorch side of torch_lstm.py: a plain training loop, in an environment with torch and NumPy only.

python _torch_fit.py settings.json data.npz        # prints one line of JSON
"""

import json
import statistics
import sys
import time
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Network(nn.Module):
    """The zoo's ``lstm`` with one layer: an LSTM, a linear head, and a linear term of the known future."""

    def __init__(self, features: int, units: int, horizon: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(features, units, batch_first=True)
        self.head = nn.Linear(units, horizon)
        self.known = nn.Linear(features, 1, bias=False)
        nn.init.zeros_(self.known.weight)

    def forward(self, window: torch.Tensor, future: torch.Tensor) -> torch.Tensor:
        """Map (B, T, F) and (B, H, F) to (B, H)."""
        _, (state, _) = self.lstm(window)
        return self.head(state[-1]) + self.known(future).squeeze(-1)


def make_windows(values: np.ndarray, calendar: np.ndarray, s: dict[str, Any]) -> TensorDataset:
    """Make all windows of all series, scaled by their own mean and deviation; targets are seasonal differences."""
    lookback, horizon = s["lookback"], s["horizon"]
    spans = torch.from_numpy(values).unfold(1, lookback + horizon, 1).flatten(0, 1)  # (N, T + H)
    past, ahead = spans[:, :lookback], spans[:, lookback:]
    shift, scale = past.mean(1, keepdim=True), past.std(1, correction=0, keepdim=True)
    past, ahead = ((x - shift) / scale for x in (past, ahead))
    reference = past[:, lookback - s["season"] + torch.arange(horizon) % s["season"]]
    times = torch.from_numpy(calendar).unfold(0, lookback + horizon, 1).transpose(1, 2)  # (W, T + H, C)
    times = times.repeat(len(values), 1, 1)
    window = torch.cat([past[..., None].float(), times[:, :lookback]], dim=-1)
    future = torch.cat([reference[..., None].float(), times[:, lookback:]], dim=-1)
    return TensorDataset(window, future, (ahead - reference).float())


def fit(values: np.ndarray, calendar: np.ndarray, s: dict[str, Any]) -> tuple[Network, Any, DataLoader, list[dict]]:
    started = time.perf_counter()
    torch.manual_seed(s["seed"])
    dataset = make_windows(values, calendar, s)
    loader = DataLoader(dataset, batch_size=s["batch_size"], shuffle=True, drop_last=True)
    model = Network(dataset.tensors[0].shape[-1], s["units"], s["horizon"])
    optimizer = torch.optim.Adam(model.parameters(), lr=s["learning_rate"])
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=s["epochs"] * len(loader))
    history = []
    for _ in range(s["epochs"]):
        total = 0.0
        for batch in loader:
            total += step(model, optimizer, batch, s["clipnorm"])
            schedule.step()
        before = sum(epoch["seconds"] for epoch in history)
        history.append({"loss": total / len(loader), "seconds": time.perf_counter() - started - before})
    return model, optimizer, loader, history


def step(model: Network, optimizer: Any, batch: Any, clipnorm: float) -> float:
    window, future, target = batch
    optimizer.zero_grad()
    loss = nn.functional.l1_loss(model(window, future), target)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), clipnorm)
    optimizer.step()
    return loss.item()


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        s = json.load(file)
    torch.set_num_threads(s["threads"])
    data = np.load(sys.argv[2])
    started = time.perf_counter()
    model, optimizer, loader, history = fit(data["values"], data["calendar"], s)
    fit_seconds = time.perf_counter() - started

    started = time.perf_counter()
    for _ in range(s["epochs"]):
        for _batch in loader:
            pass
    pipeline_seconds = time.perf_counter() - started

    batch = next(iter(loader))
    bare = []
    for _ in range(s["bare_steps"]):
        started = time.perf_counter()
        step(model, optimizer, batch, s["clipnorm"])
        bare.append(time.perf_counter() - started)
    answer = {
        "fit_seconds": fit_seconds,
        "pipeline_seconds": pipeline_seconds,
        "bare_ms": 1000 * statistics.median(bare[len(bare) // 10 :]),
        "steps": s["epochs"] * len(loader),
        "features": batch[0].shape[-1],
        "parameters": sum(p.numel() for p in model.parameters()),
        "history": history,
        "versions": {"torch": torch.__version__, "NumPy beside torch": np.__version__},
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
