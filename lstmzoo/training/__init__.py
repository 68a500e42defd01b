"""Training: batches in a seeded order, the loop over epochs, its checkpoints, and compiled prediction."""

from lstmzoo.training.batches import Batch, Batches, Steps
from lstmzoo.training.checkpoints import Checkpoint, Weights
from lstmzoo.training.loop import Trained, Training, Validate, make_optimizer, train
from lstmzoo.training.prediction import compile_for_prediction, predict_padded
from lstmzoo.training.program import Program

__all__ = [
    "Batch", "Batches", "Checkpoint", "Program", "Steps", "Trained", "Training", "Validate", "Weights",
    "compile_for_prediction", "make_optimizer", "predict_padded", "train",
]  # fmt: skip
