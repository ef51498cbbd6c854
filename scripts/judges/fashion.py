"""The pair of Fixtures/real/fashion-ddpm, and how judges count what a network with its graph draws."""

import importlib.util
import pathlib

PAIR = pathlib.Path(__file__).resolve().parents[2] / "Fixtures" / "real" / "fashion-ddpm"
TOKEN, BAG, NONE = "tok.weight", 8, 10


def load_evaluation():
    """evaluate.py as a module. Needs torch and diffusers."""
    spec = importlib.util.spec_from_file_location("evaluate", PAIR / "evaluate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def load_judge(evaluation):
    from safetensors.torch import load_file

    judge = evaluation.Judge()
    judge.load_state_dict(load_file(PAIR / "judge.safetensors"))
    return judge


def count_bags(evaluation, judge, weights, seeds):
    """Bags of 100 for each seed."""
    import torch

    model = evaluation.Model()
    model.load_state_dict({key: tensor.float() for key, tensor in weights.items()})
    model.eval()
    found = []
    for seed in range(seeds):
        drawn = evaluation.sample(model, torch.full((100,), BAG), seed=seed)
        with torch.no_grad():
            found.append(int((judge(drawn).argmax(1) == BAG).sum()))
    return found
