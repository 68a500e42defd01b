"""The PyTorch side of torch_translation.py, in an environment with torch and NumPy only.

python _torch_translation_fit.py settings.json ids.npz        # prints one line of JSON
"""

import json
import math
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

_POOL = 100  # batches whose pairs are sorted together
_Pair = tuple[torch.Tensor, torch.Tensor]


class Network(nn.Module):
    """The zoo's ``conditional_gru``: bidirectional GRU, attention between the decoder's two GRU cells, one tied matrix.

    Weights are initialized as in the zoo, and the biases of the softmax from the frequencies of the tokens.
    """

    def __init__(self, s: dict[str, Any], counts: torch.Tensor) -> None:
        super().__init__()
        self.s, units, size, layers = s, s["units"], s["embedding_dim"], s["encoder_layers"]
        between = s["encoder_dropout"] if layers > 1 else 0.0
        self.encoder = nn.GRU(size, units, layers, batch_first=True, dropout=between, bidirectional=True)
        self.bridge = nn.Linear(units, units)
        self.first, self.second = nn.GRUCell(size, units), nn.GRUCell(2 * units, units)
        self.query, self.key = nn.Linear(units, units, bias=False), nn.Linear(2 * units, units, bias=False)
        self.energy = nn.Linear(units, 1, bias=False)
        self.readout = nn.Linear(3 * units + size, size)
        for name, weight in self.named_parameters():
            if weight.dim() == 1:
                nn.init.zeros_(weight)
            elif "weight_hh" in name:
                nn.init.orthogonal_(weight)
            else:
                nn.init.xavier_uniform_(weight)
        self.embedding = nn.Embedding(len(counts), size)
        nn.init.uniform_(self.embedding.weight, -0.5, 0.5)
        self.bias = nn.Parameter(torch.log((counts + 1.0) / (counts + 1.0).sum()))

    def forward(self, source: torch.Tensor, lengths: torch.Tensor, target: torch.Tensor, real: torch.Tensor) -> Any:
        """Return the smoothed loss of ``target`` (B, T) without padding, given ``source`` (B, S) and its lengths."""
        values, padding, h = self.encoded(source, lengths)
        keys = self.key(values)
        vectors = self.embedded(nn.functional.pad(target[:, :-1], (1, 0)))
        hidden, contexts = [], []
        for x in vectors.unbind(1):
            h = self.first(x, h)
            scores = self.energy(torch.tanh(self.query(h).unsqueeze(1) + keys)).squeeze(-1)
            weights = torch.softmax(scores.masked_fill(padding, -math.inf), dim=-1)
            context = torch.bmm(weights.unsqueeze(1), values).squeeze(1)
            h = self.second(context, h)
            hidden.append(h)
            contexts.append(context)
        read = torch.cat([torch.stack(hidden, 1), torch.stack(contexts, 1), vectors], dim=-1)[real]
        read = nn.functional.dropout(torch.tanh(self.readout(read)), self.s["output_dropout"])
        logits = nn.functional.linear(read, self.embedding.weight, self.bias)
        return nn.functional.cross_entropy(logits, target[real], label_smoothing=self.s["label_smoothing"])

    def encoded(self, source: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return values (B, S, 2 U), their padding (B, S), and the initial state of the decoder (B, U)."""
        packed = pack_padded_sequence(self.embedded(source), lengths, batch_first=True, enforce_sorted=False)
        values, last = self.encoder(packed)
        values, _ = pad_packed_sequence(values, batch_first=True)
        values = nn.functional.dropout(values, self.s["encoder_dropout"])
        return values, ~mask(lengths, source.shape[1]), torch.tanh(self.bridge(last[-1]))

    def embedded(self, tokens: torch.Tensor) -> torch.Tensor:
        return nn.functional.dropout(self.embedding(tokens), self.s["embedding_dropout"])


def mask(lengths: torch.Tensor, size: int) -> torch.Tensor:
    """Return a mask ``(B, size)``, False for padding."""
    return torch.arange(size) < lengths[:, None]


def batches(pairs: list[_Pair], batch_size: int, seed: int) -> Iterator[list[_Pair]]:
    """Yield batches forever: each pass shuffles all pairs, sorts them by length within pools, and shuffles the batches."""
    rng = np.random.default_rng(seed)
    source, target = (np.array([len(pair[side]) for pair in pairs]) for side in (0, 1))
    while True:
        order, made = rng.permutation(len(pairs)), []
        for place in range(0, len(order), _POOL * batch_size):
            pool = order[place : place + _POOL * batch_size]
            pool = pool[np.lexsort((source[pool], target[pool]))]
            made += [pool[i : i + batch_size] for i in range(0, len(pool), batch_size)]
        for i in rng.permutation(len(made)):
            yield [pairs[number] for number in made[i]]


def main() -> None:
    told = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    s, steps, part = told["settings"], told["steps"], told["part"]
    torch.set_num_threads(told["threads"])
    torch.manual_seed(told["seed"])
    data = dict(np.load(sys.argv[2]))
    started = time.perf_counter()
    pairs = [pair for pair in zip(*(sentences(data, side) for side in ("source", "target")), strict=True)
             if min(map(len, pair)) > 1 and max(map(len, pair)) <= s["max_length"] + 1]  # fmt: skip
    counts = torch.bincount(torch.cat([target for _, target in pairs]), minlength=int(data["vocab_size"]))
    model = Network(s, counts)
    rate = s["learning_rate"]
    optimizer = torch.optim.Adam(model.parameters(), lr=rate, betas=(0.9, s["beta_2"]), eps=1e-7, fused=True)
    losses, tokens, times, positions, drawn = [], [], [], 0, batches(pairs, s["batch_size"], told["seed"])
    for step in range(steps):
        began = time.perf_counter()
        batch = next(drawn)
        (source, lengths), (target, target_lengths) = (padded(side) for side in zip(*batch, strict=True))
        done = step / steps
        for group in optimizer.param_groups:
            warm = min(1.0, done / s["warmup"] if s["warmup"] else 1.0)
            group["lr"] = rate * warm * 0.5 * (1 + math.cos(math.pi * done))
        optimizer.zero_grad()
        loss = model(source, lengths, target, mask(target_lengths, target.shape[1]))
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), s["clipnorm"])
        optimizer.step()
        losses.append(loss.item())
        tokens.append(int(lengths.sum() + target_lengths.sum()))
        positions += source.numel() + target.numel()
        times.append(time.perf_counter() - began)
    seconds = time.perf_counter() - started
    starts = range(part, steps, part)
    answer = {
        "fit_seconds": seconds,
        "tokens": sum(tokens),
        "part_rate": statistics.median(sum(tokens[i : i + part]) / sum(times[i : i + part]) for i in starts),
        "padding": 1 - sum(tokens) / positions,
        "parameters": sum(p.numel() for p in model.parameters()),
        "loss": float(np.mean(losses[-part:])),
        "versions": {"torch": torch.__version__, "NumPy beside torch": np.__version__},
    }
    print(json.dumps(answer))


def sentences(data: dict[str, np.ndarray], side: str) -> list[torch.Tensor]:
    """Split the numbers into sentences, and append the end, 0, to each."""
    return [torch.from_numpy(np.append(ids, 0).astype(np.int64))
            for ids in np.split(data[side], np.cumsum(data[f"{side}_lengths"])[:-1])]  # fmt: skip


def padded(side: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    """Pad to the longest: ids ``(B, S)`` and lengths ``(B,)``."""
    return pad_sequence(list(side), batch_first=True), torch.tensor([len(ids) for ids in side])


if __name__ == "__main__":
    main()
