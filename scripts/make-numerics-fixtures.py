#!/usr/bin/env python3
"""Writes Fixtures/training/numerics: noise schedules, losses, optimizers, learning rates and event files
as the field's own packages compute them.

Needs torch, diffusers, transformers, safetensors, prodigyopt, dadaptation, lion-pytorch, schedulefree,
bitsandbytes (its CPU backend) and tensorboard. Seeds are fixed: the same versions write the same numbers.
"""

import ast
import importlib.metadata
import json
import math
import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

ROOT = pathlib.Path(__file__).resolve().parent.parent / "Fixtures/training/numerics"
PACKAGES = [
    "torch", "diffusers", "transformers", "prodigyopt", "dadaptation", "lion-pytorch", "schedulefree",
    "bitsandbytes", "came-pytorch", "tensorboard",
]


def write(name, tensors, **metadata):
    path = ROOT / f"{name}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(
        {key: value.detach().contiguous() for key, value in tensors.items()}, path,
        {key: str(value) for key, value in metadata.items()} or None)


# MARK: Noise

def rescale(alphas):
    """sqrt(abar) shifted and scaled so that the last is 0 and the first stays; through betas and back."""
    roots = alphas.sqrt()
    first, last = roots[0].clone(), roots[-1].clone()
    roots = (roots - last) * (first / (first - last))
    squares = roots**2
    betas = 1 - torch.cat([squares[:1], squares[1:] / squares[:-1]])
    return torch.cumprod(1.0 - betas, 0)


def noise():
    from diffusers import DDPMScheduler

    scheduler = DDPMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", num_train_timesteps=1000,
        clip_sample=False)
    alphas = scheduler.alphas_cumprod
    tensors = {
        "alphas": alphas,
        "snr": (alphas.sqrt() / (1 - alphas).sqrt()) ** 2,
        "alphas.zero_terminal": rescale(alphas),
    }
    torch.manual_seed(1)
    x, e = torch.randn(3, 4, 6, 5), torch.randn(3, 4, 6, 5)
    t = torch.tensor([0, 417, 999])
    nhwc = lambda v: v.permute(0, 2, 3, 1)
    tensors |= {
        "latents": nhwc(x), "noise": nhwc(e), "timesteps": t,
        "noisy": nhwc(scheduler.add_noise(x, e, t)), "velocity": nhwc(scheduler.get_velocity(x, e, t)),
    }
    scheduler.alphas_cumprod = tensors["alphas.zero_terminal"]
    tensors["noisy.zero_terminal"] = nhwc(scheduler.add_noise(x, e, t))
    # Offsets: of every channel, growing with the magnitude of the channel's mean.
    x, e, draws = x[:1], e[:1], torch.randn(1, 4, 1, 1)
    tensors["offset.draws"] = draws.flatten()
    tensors["offset.plain"] = nhwc(e + 0.1 * draws)[0]
    means = x.mean(dim=(2, 3), keepdim=True).abs()
    for name, scale in [("grown", 0.3), ("shrunk", -1.5)]:
        strength = torch.clamp(0.1 + scale * means, 0.0, None)
        tensors[f"offset.{name}"] = nhwc(e + strength * draws)[0]
    # A pyramid: each layer enlarged by bilinear interpolation.
    total, layers = e.clone(), [(6, 5), (2, 2), (1, 1)]
    for i, (h, w) in enumerate(layers):
        layer = torch.randn(1, 4, h, w)
        tensors[f"pyramid.{i}"] = nhwc(layer)[0]
        total += torch.nn.Upsample(size=(6, 5), mode="bilinear")(layer) * 0.3**i
    tensors["pyramid"] = nhwc(total / total.std())[0]
    write("noise", tensors)


# MARK: Losses

def losses():
    from diffusers import DDPMScheduler

    alphas = DDPMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear").alphas_cumprod
    snrs = (alphas.sqrt() / (1 - alphas).sqrt()) ** 2
    torch.manual_seed(2)
    prediction, target = torch.randn(3, 4, 6, 5), torch.randn(3, 4, 6, 5)
    t = torch.tensor([3, 417, 999])
    sample_weights = torch.tensor([1.0, 0.4, 1.0])
    mask = torch.rand(3, 17, 12)
    nhwc = lambda v: v.permute(0, 2, 3, 1)
    tensors = {
        "prediction": nhwc(prediction), "target": nhwc(target), "timesteps": t,
        "weights": sample_weights, "mask": mask,
    }
    cases = {}

    def case(name, kind="l2", schedule="snr", c=0.1, scale=1.0, gamma=None, scaled=False, like=None,
             debiased=False, velocity=False, masked=False):
        p = prediction.clone().requires_grad_()
        d = p - target
        if kind == "l2":
            loss = F.mse_loss(p, target, reduction="none")
        elif kind == "l1":
            loss = F.l1_loss(p, target, reduction="none")
        else:
            if schedule == "constant":
                threshold = torch.full((3,), c * scale)
            elif schedule == "exponential":
                threshold = torch.exp(-(-math.log(c) / 1000) * t) * scale
            else:
                sigma = ((1 - alphas[t]) / alphas[t]) ** 0.5
                threshold = (1 - c) / (1 + sigma) ** 2 + c
            threshold = threshold.view(-1, 1, 1, 1)
            loss = 2 * (torch.sqrt(d**2 + threshold**2) - threshold)
            if kind == "huber":
                loss = loss * threshold
        if masked:
            loss = loss * F.interpolate(mask[:, None], size=loss.shape[2:], mode="area")
        loss = loss.mean([1, 2, 3]) * sample_weights
        snr = snrs[t]
        bounded = torch.clamp(snr, max=1000)
        if gamma:
            loss = loss * torch.clamp(snr, max=gamma) / (snr + 1 if velocity else snr)
        if scaled:
            loss = loss * bounded / (bounded + 1)
        if like:
            loss = loss + loss / (bounded / (bounded + 1)) * like
        if debiased:
            loss = loss * (1 / (bounded + 1) if velocity else 1 / torch.sqrt(bounded))
        loss.mean().backward()
        tensors[f"{name}.samples"], tensors[f"{name}.gradient"] = loss, nhwc(p.grad)
        cases[name] = dict(
            kind=kind, schedule=schedule, c=c, scale=scale, gamma=gamma, scaled=scaled, like=like,
            debiased=debiased, velocity=velocity, masked=masked)

    case("l2")
    case("l1")
    for kind in ["huber", "smooth_l1"]:
        for schedule in ["constant", "exponential", "snr"]:
            case(f"{kind}.{schedule}", kind=kind, schedule=schedule, c=0.15, scale=1.3)
    case("masked", masked=True)
    case("gamma", gamma=5)
    case("gamma.velocity", gamma=5, velocity=True)
    case("scaled", scaled=True, velocity=True)
    case("like", like=0.5)
    case("debiased", debiased=True)
    case("debiased.velocity", debiased=True, velocity=True)
    case("all", kind="smooth_l1", masked=True, gamma=1, like=0.3, debiased=True)
    write("losses", tensors, cases=json.dumps(cases))


# MARK: Optimizers

STEPS, KEPT = 20, (1, 3, 20)
SHAPES = {"a": (6, 8), "b": (7,), "c": (4, 3, 3, 3), "zero": (2, 3)}
GROUPS = (("a", "b"), ("c", "zero"))


def starts_and_gradients(shapes, seed):
    """Parameters, one of which is 0, and gradients that point one way on the whole."""
    torch.manual_seed(seed)
    starts, gradients = {}, {}
    for name, shape in shapes.items():
        starts[name] = torch.zeros(shape) if name == "zero" else torch.randn(shape)
        base = torch.randn(shape) * 0.5
        gradients[name] = torch.stack([base + torch.randn(shape) * (0.3 + 0.02 * i) for i in range(STEPS)])
    return starts, gradients


def quantize_nearest(values, code, absmax, target, blocksize):
    flat = F.pad(values.flatten(), (0, -values.numel() % blocksize)).view(-1, blocksize)
    largest = flat.abs().amax(1)
    absmax.copy_(largest)
    scaled = flat / torch.where(largest > 0, largest, torch.ones(())).unsqueeze(1)
    codes = (scaled.unsqueeze(-1) - code).abs().argmin(-1).flatten()[: values.numel()]
    target.copy_(codes.view(target.shape).to(torch.uint8))


def optimizers():
    import bitsandbytes
    import came_pytorch
    import dadaptation
    import lion_pytorch
    import prodigyopt
    import schedulefree
    from transformers.optimization import Adafactor

    starts, gradients = starts_and_gradients(SHAPES, 3)
    tensors = {f"start.{k}": v for k, v in starts.items()} | {f"gradient.{k}": v for k, v in gradients.items()}
    large_starts, large_gradients = starts_and_gradients({"large": (72, 65), "b": (7,)}, 4)
    large_gradients["large"] *= torch.logspace(-4, 1, 72)[None, :, None]
    large = {f"start.{k}": v for k, v in large_starts.items()}
    large |= {f"gradient.{k}": v.half().float() for k, v in large_gradients.items()}
    cases = {}

    def case(name, make, type, rates=(1e-2, 3e-3), arguments=(), file=tensors, groups=GROUPS, **keywords):
        parameters = {
            k[6:]: torch.nn.Parameter(v.clone()) for k, v in file.items() if k.startswith("start.")}
        optimizer = make(
            [{"params": [parameters[k] for k in names], "lr": rate} for names, rate in zip(groups, rates)],
            lr=rates[0], **keywords)
        if hasattr(optimizer, "train"):
            optimizer.train()
        for step in range(STEPS):
            for k, p in parameters.items():
                p.grad = file[f"gradient.{k}"][step].clone()
            optimizer.step()
            if step + 1 in KEPT:
                for k, p in parameters.items():
                    file[f"{name}.{step + 1}.{k}"] = p.detach().clone()
        if hasattr(optimizer, "eval"):
            optimizer.eval()
            for k, p in parameters.items():
                file[f"{name}.eval.{k}"] = p.detach().clone()
        d = optimizer.param_groups[0].get("d")
        cases[name] = dict(
            type=type, rates=[r if r is not None else 0 for r in rates], arguments=list(arguments), d=d,
            large=file is large)

    adam = ["betas=0.8,0.98", "eps=1e-6", "weight_decay=0.1"]
    keywords = dict(betas=(0.8, 0.98), eps=1e-6, weight_decay=0.1)
    case("adamw", torch.optim.AdamW, "AdamW")
    case("adamw.options", torch.optim.AdamW, "torch.optim.AdamW", arguments=adam, **keywords)
    case("adam.options", torch.optim.Adam, "Adam", arguments=adam, **keywords)
    case("lion", lion_pytorch.Lion, "Lion", arguments=["weight_decay=0.1"], weight_decay=0.1)
    case("sgd", torch.optim.SGD, "SGD", arguments=["momentum=0.8", "dampening=0.2", "weight_decay=0.1"],
         momentum=0.8, dampening=0.2, weight_decay=0.1)
    case("nesterov", torch.optim.SGD, "SGDNesterov", nesterov=True, momentum=0.9)
    fixed = dict(relative_step=False, scale_parameter=False, weight_decay=0.05, beta1=0.8, clip_threshold=0.7)
    case("adafactor.fixed", Adafactor, "Adafactor", arguments=[f"{k}={v}" for k, v in fixed.items()], **fixed)
    case("adafactor.scaled", Adafactor, "Adafactor", arguments=["relative_step=False"], relative_step=False)

    def relative(groups, lr, **keywords):
        return Adafactor([dict(g, lr=None) for g in groups], lr=None, **keywords)

    case("adafactor.relative", relative, "transformers.optimization.Adafactor")
    case("adafactor.warmup", relative, "Adafactor", arguments=["warmup_init=True"], warmup_init=True)

    both = dict(d0=0.01)
    one = (1.0, 1.0)
    case("prodigy", prodigyopt.Prodigy, "Prodigy", one, arguments=["d0=0.01"], **both)
    case("prodigy.options", prodigyopt.Prodigy, "prodigyopt.Prodigy", one,
         arguments=["d0=0.01", "weight_decay=0.1", "use_bias_correction=True", "safeguard_warmup=True",
                    "d_coef=0.8", "growth_rate=1.1"],
         weight_decay=0.1, use_bias_correction=True, safeguard_warmup=True, d_coef=0.8, growth_rate=1.1, **both)
    case("prodigy.coupled", prodigyopt.Prodigy, "Prodigy", one,
         arguments=["d0=0.01", "weight_decay=0.1", "decouple=False", "slice_p=3"],
         weight_decay=0.1, decouple=False, slice_p=3, **both)
    case("dadaptadam", dadaptation.DAdaptAdam, "DAdaptAdam", one, arguments=["d0=0.01"], **both)
    case("dadaptadam.options", dadaptation.DAdaptAdam, "dadaptation.DAdaptAdam", one,
         arguments=["d0=0.01", "decouple=True", "weight_decay=0.1", "use_bias_correction=True",
                    "growth_rate=1.05"],
         decouple=True, weight_decay=0.1, use_bias_correction=True, growth_rate=1.05, **both)
    case("dadaptlion", dadaptation.DAdaptLion, "DAdaptLion", one,
         arguments=["d0=0.01", "weight_decay=0.1"], weight_decay=0.1, **both)
    case("dadaptsgd", dadaptation.DAdaptSGD, "DAdaptSGD", one,
         arguments=["d0=0.01", "momentum=0.5"], momentum=0.5, **both)
    case("schedulefree", schedulefree.AdamWScheduleFree, "AdamWScheduleFree")
    case("schedulefree.options", schedulefree.AdamWScheduleFree, "schedulefree.AdamWScheduleFree",
         arguments=["weight_decay=0.1", "warmup_steps=5", "r=0.5", "weight_lr_power=1.5"],
         weight_decay=0.1, warmup_steps=5, r=0.5, weight_lr_power=1.5)
    case("radamschedulefree", schedulefree.RAdamScheduleFree, "RAdamScheduleFree",
         arguments=["weight_decay=0.1", "betas=(0.8, 0.97)"], weight_decay=0.1, betas=(0.8, 0.97))
    case("radamschedulefree.moving", schedulefree.RAdamScheduleFree, "schedulefree.RAdamScheduleFree",
         arguments=["silent_sgd_phase=False", "r=0.5"], silent_sgd_phase=False, r=0.5)
    case("sgdschedulefree", schedulefree.SGDScheduleFree, "SGDScheduleFree",
         arguments=["momentum=0.8", "weight_decay=0.1", "warmup_steps=5"],
         momentum=0.8, weight_decay=0.1, warmup_steps=5)
    case("came", came_pytorch.CAME, "CAME")
    case("came.options", came_pytorch.CAME, "came_pytorch.CAME",
         arguments=["betas=(0.8, 0.99, 0.995)", "eps=(1e-20, 1e-10)", "weight_decay=0.1", "clip_threshold=0.5"],
         betas=(0.8, 0.99, 0.995), eps=(1e-20, 1e-10), weight_decay=0.1, clip_threshold=0.5)
    case("adamw8bit", bitsandbytes.optim.AdamW8bit, "AdamW8bit", (1e-2,), file=large, groups=(("large", "b"),))
    case("adamw8bit.options", bitsandbytes.optim.AdamW8bit, "bitsandbytes.optim.AdamW8bit", (1e-2,),
         arguments=adam, file=large, groups=(("large", "b"),), **keywords)
    # bitsandbytes' CPU code takes numbers near the middle of two codes to either; its GPU code, and this,
    # to the nearest. Everything else is its own.
    import bitsandbytes.backends.cpu.ops as cpu

    cpu._quant_blockwise_fp32_direct = quantize_nearest
    case("adamw8bit.nearest", bitsandbytes.optim.AdamW8bit, "AdamW8bit", (1e-2,), arguments=adam, file=large,
         groups=(("large", "b"),), **keywords)
    for signed in [True, False]:
        large[f"map.{'signed' if signed else 'unsigned'}"] = bitsandbytes.functional.create_dynamic_map(signed)
    write("optimizers", tensors, cases=json.dumps(cases))
    write("optimizers-8bit", large, cases=json.dumps(cases))


# MARK: Learning rates

class Rex:
    """The factor of musubi-tuner's RexLR for one group; its first step with a warm-up is not looked at."""

    def __init__(self, warmup, total, lowest=0.01, alpha=0.1, beta=0.9):
        self.warmup, self.total, self.lowest, self.alpha, self.beta = warmup, total, lowest, alpha, beta

    def __call__(self, step):
        if self.warmup > 1 and 1 <= step <= self.warmup - 1:
            return self.lowest + (1 - self.lowest) * (step - 1) / (self.warmup - 1)
        after, length = step - self.warmup, self.total - self.warmup
        if after >= length or after < 0:
            return self.lowest
        z = (length - after) / length
        return self.lowest + (1 - self.lowest) * z / (self.alpha + self.beta * z)


def torch_schedules():
    """Rates of two groups by the classes of torch.optim.lr_scheduler, driven as a trainer drives them."""
    import torch.optim.lr_scheduler as S

    total, rates = 45, [1e-3, 2e-4]
    cases = {}

    def case(name, schedule, *arguments):
        keywords = {key: ast.literal_eval(value) for key, value in (a.split("=") for a in arguments)}
        optimizer = torch.optim.SGD(
            [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in rates], lr=rates[0],
            momentum=0.9)
        scheduler = getattr(S, schedule.split(".")[-1])(optimizer, **keywords)
        found = []
        for _ in range(total):
            found.append(scheduler.get_last_lr())
            optimizer.step()
            scheduler.step()
        cases[name] = dict(type=schedule, arguments=list(arguments), rates=found)

    case("step", "StepLR", "step_size=7")
    case("step.gamma", "torch.optim.lr_scheduler.StepLR", "step_size=4", "gamma=0.5")
    case("milestones", "MultiStepLR", "milestones=[5, 9, 30]", "gamma=0.3")
    case("constant", "ConstantLR")
    case("constant.options", "ConstantLR", "factor=0.2", "total_iters=9")
    case("linear", "LinearLR")
    case("linear.options", "LinearLR", "start_factor=1.0", "end_factor=0.1", "total_iters=30")
    case("exponential", "ExponentialLR", "gamma=0.93")
    case("polynomial", "PolynomialLR", "total_iters=33", "power=1.7")
    case("cosine", "CosineAnnealingLR", "T_max=40")
    case("cosine.again", "CosineAnnealingLR", "T_max=11", "eta_min=1e-5")
    case("restarts", "CosineAnnealingWarmRestarts", "T_0=8")
    case("restarts.growing", "CosineAnnealingWarmRestarts", "T_0=4", "T_mult=2", "eta_min=1e-6")
    cycle = ["base_lr=1e-5", "max_lr=1e-3", "step_size_up=6", "cycle_momentum=False"]
    case("cyclic", "CyclicLR", *cycle)
    case("cyclic.halving", "CyclicLR", *cycle, "step_size_down=3", "mode='triangular2'")
    case("cyclic.exponential", "CyclicLR", *cycle, "mode='exp_range'", "gamma=0.97")
    one = ["max_lr=1e-3", "total_steps=46", "cycle_momentum=False"]
    case("one", "OneCycleLR", *one)
    case("one.three", "OneCycleLR", *one, "three_phase=True", "pct_start=0.4", "anneal_strategy='linear'")
    (ROOT / "torch-schedules.json").write_text(json.dumps(cases) + "\n")


def schedules():
    import transformers.optimization as T
    from diffusers.optimization import get_piecewise_constant_schedule

    total, rate = 40, 1e-3
    cases = {}

    def case(name, schedule, make, **settings):
        if isinstance(make, Rex):
            factors = [make(i) for i in range(total + 5)]
        else:
            optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)
            scheduler = make(optimizer)
            factors = []
            for _ in range(total + 5):
                factors.append(scheduler.get_last_lr()[0] / rate)
                optimizer.step()
                scheduler.step()
        cases[name] = dict(schedule=schedule, factors=factors, **settings)

    case("constant", "constant", T.get_constant_schedule)
    case("constant.warmup", "constant_with_warmup",
         lambda o: T.get_constant_schedule_with_warmup(o, 7), warmup=7)
    case("linear", "linear", lambda o: T.get_linear_schedule_with_warmup(o, 4, total), warmup=0.1)
    case("cosine", "cosine", lambda o: T.get_cosine_schedule_with_warmup(o, 7, total), warmup=7)
    case("cosine.plain", "cosine", lambda o: T.get_cosine_schedule_with_warmup(o, 0, total))
    case("cosine.waves", "cosine", lambda o: T.get_cosine_schedule_with_warmup(o, 0, total, 1.5),
         arguments=["num_cycles=1.5"])
    case("restarts", "cosine_with_restarts",
         lambda o: T.get_cosine_with_hard_restarts_schedule_with_warmup(o, 7, total, 3), warmup=7, cycles=3)
    case("polynomial", "polynomial",
         lambda o: T.get_polynomial_decay_schedule_with_warmup(o, 7, total, power=2.0), warmup=7, power=2.0)
    case("polynomial.end", "polynomial",
         lambda o: T.get_polynomial_decay_schedule_with_warmup(o, 0, total, lr_end=1e-5),
         arguments=["lr_end=1e-5"])
    case("inverse", "inverse_sqrt", lambda o: T.get_inverse_sqrt_schedule(o, 7), warmup=7)
    case("inverse.scale", "inverse_sqrt", lambda o: T.get_inverse_sqrt_schedule(o, 7, 20), warmup=7, timescale=20)
    case("lowest", "cosine_with_min_lr",
         lambda o: T.get_cosine_with_min_lr_schedule_with_warmup(o, 7, total, 1.0, min_lr_rate=0.2),
         warmup=7, cycles=2, lowest=0.2)
    for kind in ["linear", "cosine", "1-sqrt"]:
        case(f"stable.{kind}", "warmup_stable_decay",
             lambda o: T.get_wsd_schedule(
                 o, 7, 10, num_stable_steps=23, warmup_type=kind, decay_type=kind, min_lr_ratio=0.1),
             warmup=7, decay=0.25, lowest=0.1, arguments=[f"warmup_type={kind}", f"decay_type={kind}"])
    rules = "1:10,0.1:20,0.01:30,0.005"
    case("pieces", "piecewise_constant", lambda o: get_piecewise_constant_schedule(o, rules),
         arguments=[f"step_rules='{rules}'"])
    case("rex", "rex", Rex(0, total))
    case("rex.warmup", "rex", Rex(7, total, 0.05, 0.2, 0.8), warmup=7, lowest=0.05,
         arguments=["rex_alpha=0.2", "rex_beta=0.8"])
    (ROOT / "schedules.json").write_text(
        json.dumps(dict(total=total, rate=rate, cases=cases), indent=1) + "\n")


# MARK: Logs

def events():
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.record_writer import RecordWriter

    with open(ROOT / "events.tfevents", "wb") as file:
        writer = RecordWriter(file)
        writer.write(Event(wall_time=1700000000.25, file_version="brain.Event:2").SerializeToString())
        for step, tag, value in [
            (0, "loss/current", 0.125), (1, "loss/average", 1e-3), (300, "lr/d*lr/unet", 12.5),
            (2**40, "loss/current", -0.1),
        ]:
            value = Summary.Value(tag=tag, simple_value=value)
            event = Event(wall_time=1700000001.5 + step, step=step, summary=Summary(value=[value]))
            writer.write(event.SerializeToString())


def main():
    ROOT.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    noise()
    losses()
    optimizers()
    schedules()
    torch_schedules()
    events()
    for name in PACKAGES:
        print(name, importlib.metadata.version(name))


if __name__ == "__main__":
    main()
