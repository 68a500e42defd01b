"""The PyTorch side of torch_language_model.py: its word-language-model example, in an environment with torch and NumPy only.

python _torch_language_fit.py settings.json train.txt        # prints one line of JSON
"""

import json
import math
import statistics
import sys
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn


class Network(nn.Module):
    """The zoo's ``lstm`` or ``awd_lstm``: embedding, stacked LSTMs, a tied softmax."""

    def __init__(self, s: dict[str, Any]) -> None:
        super().__init__()
        self.s, self.awd = s, s["model"] == "awd_lstm"
        sizes = [
            s["embedding_dim"],
            *[s["units"]] * (s["num_layers"] - 1),
            s["embedding_dim"] if self.awd else s["units"],
        ]
        self.embedding = nn.Embedding(s["vocab_size"], s["embedding_dim"])
        nn.init.uniform_(self.embedding.weight, -0.05, 0.05)
        self.layers = nn.ModuleList(nn.LSTM(a, b) for a, b in pairwise(sizes))
        self.head = nn.Linear(sizes[-1], s["vocab_size"])
        self.head.weight = self.embedding.weight

    def forward(self, tokens: torch.Tensor, states: list | None) -> tuple[torch.Tensor, torch.Tensor, list]:
        """Map (T, B) to logits (T * B, V), a penalty that is added to the loss, and the states."""
        s = self.s
        x = self._embedded(tokens)
        final, last = [], len(self.layers) - 1
        for i, layer in enumerate(self.layers):
            state = None if states is None else states[i]
            x, after = self._read(layer, x, state)
            final.append(tuple(part.detach() for part in after))
            raw = x
            x = self._dropped(x, s["output_dropout" if i == last else "hidden_dropout"] if self.awd else s["dropout"])
        penalty = torch.zeros(())
        if self.awd:
            penalty = (
                s["activation_penalty"] * x.pow(2).mean() + s["change_penalty"] * (raw[1:] - raw[:-1]).pow(2).mean()
            )
        return self.head(x.flatten(0, 1)), penalty, final

    def _embedded(self, tokens: torch.Tensor) -> torch.Tensor:
        s = self.s
        if not self.awd:
            return nn.functional.dropout(self.embedding(tokens), s["dropout"])
        rate = s["embedding_dropout"]
        mask = torch.empty(s["vocab_size"], 1).bernoulli_(1 - rate) / (1 - rate)
        return self._dropped(nn.functional.embedding(tokens, self.embedding.weight * mask), s["input_dropout"])

    def _dropped(self, x: torch.Tensor, rate: float) -> torch.Tensor:
        if not self.awd:
            return nn.functional.dropout(x, rate)
        return x * x.new_empty(1, *x.shape[1:]).bernoulli_(1 - rate) / (1 - rate)

    def _read(self, layer: nn.LSTM, x: torch.Tensor, state: Any) -> tuple[torch.Tensor, Any]:
        if not self.awd:
            return layer(x, state)
        dropped = nn.functional.dropout(layer.weight_hh_l0, self.s["weight_drop"])
        return torch.func.functional_call(layer, {"weight_hh_l0": dropped}, (x, state))


def main() -> None:
    s = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    torch.set_num_threads(s["threads"])
    torch.manual_seed(s["seed"])
    lines = Path(sys.argv[2]).read_text(encoding="utf-8").split("\n")
    started = time.perf_counter()
    counts = Counter(word for line in lines for word in line.split())
    words = ["<eos>", "<unk>", *[w for w, _ in counts.most_common() if w != "<unk>"]][: s["vocab_size"]]
    ids = {word: i for i, word in enumerate(words)}
    stream = torch.tensor([0, *(ids.get(word, 1) for line in lines for word in [*line.split(), "<eos>"])])
    length = (len(stream) - 1) // s["batch_size"]
    rows = torch.stack([stream[b * length : (b + 1) * length + 1] for b in range(s["batch_size"])], dim=1)
    model = Network(s)
    optimizer = torch.optim.Adam(model.parameters(), lr=s["learning_rate"])
    losses, times, states, place = [], [], None, 0
    for step in range(s["steps"]):
        began = time.perf_counter()
        if place + s["bptt"] > length:
            states, place = None, 0
        tokens, targets = rows[place : place + s["bptt"]], rows[place + 1 : place + s["bptt"] + 1]
        place += s["bptt"]
        for group in optimizer.param_groups:
            group["lr"] = s["learning_rate"] * 0.5 * (1 + math.cos(math.pi * step / s["steps"]))
        optimizer.zero_grad()
        logits, penalty, states = model(tokens, states)
        loss = nn.functional.cross_entropy(logits, targets.flatten()) + penalty
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), s["clipnorm"])
        optimizer.step()
        losses.append(loss.item())
        times.append(time.perf_counter() - began)
    seconds = time.perf_counter() - started
    answer = {
        "fit_seconds": seconds,
        "step_ms": 1000 * statistics.median(times[len(times) // 10 :]),
        "parameters": sum(p.numel() for p in model.parameters()),
        "loss": float(np.mean(losses[-max(1, s["steps"] // 5) :])),
        "versions": {"torch": torch.__version__},
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
