"""A step of our pretraining beside OpenCLIP's own (`open_clip_train.train.train_one_epoch`), on the same architecture.

Both start from the same weights and see the same pictures and captions, in the same precision, with the same batch,
threads and optimiser; each runs in a process of its own, and they take turns. Not a test: see README.md in this folder.
Needs an environment that has this package with the extra `train`, and `open_clip_torch`, whose torchvision must fit the
torch that is there.

    python benchmarks/train_step.py [--batch 16] [--rounds 8] [--steps 2] [--precision fp32] [--context 117] [--padded]
    python benchmarks/train_step.py --model vit-l-14 --precision bf16 --batch 128 [--compile]      on a GPU

On a GPU memory is the GPU's, and the share of the measured matrix product that our step reaches is told.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

GOAL_SPEED, GOAL_MEMORY, GOAL_SHARE = 1.0, 1.0, 0.45  # over OpenCLIP's; of a GPU's measured matrix product
SIDES = ("ours", "openclip")


def arguments(words: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=8, help="turns of each side that count")
    parser.add_argument("--steps", type=int, default=2, help="steps of a turn")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--width", type=int, default=384, help="of the image tower, patches of 16 at 224 pixels")
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--context", type=int, default=117)
    parser.add_argument("--padded", action="store_true", help="ours too runs captions padded to the whole context")
    parser.add_argument("--model", choices=("small", "vit-l-14"), default="small", help="vit-l-14: the published one")
    parser.add_argument("--compile", action="store_true", help="optim.compile of ours; OpenCLIP has --torchcompile")
    parser.add_argument("--alone", action="store_true", help="ours only")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    return parser.parse_args(words)


def recipe(args: argparse.Namespace, steps: int) -> Any:
    """The same training for both sides, as ours says it."""
    from fetalclip.fit.pretrain_recipe import PretrainRecipe, ScaleRecipe, TowersRecipe
    from fetalclip.models.text import TextConfig
    from fetalclip.models.vit import ViTConfig

    optim = ScaleRecipe(epochs=1, batch=args.batch, rate=1e-5, weight_decay=0.1, precision=args.precision)
    optim = replace(optim, warmup_steps=steps, compile=args.compile and args.side == "ours")
    if args.model == "vit-l-14":
        text = TextConfig(args.context, 49408, 768, 12, 12)
        towers = TowersRecipe(image="vit", vit=ViTConfig(), image_size=224, embed_dim=768, text=text)
        made = PretrainRecipe(model=towers, optim=optim)
        return replace(made, data=replace(made.data, workers=0))
    vit = ViTConfig(patch_size=16, width=args.width, layers=args.layers, heads=args.width // 64)
    text = TextConfig(args.context, 49408, 256, 6, 4)
    towers = TowersRecipe(image="vit", vit=vit, image_size=224, text=text)
    made = PretrainRecipe(model=towers, optim=optim)
    return replace(made, data=replace(made.data, workers=0))


class Drawn:
    """Simulated planes as a source of pairs."""

    side, fingerprint = 261, "drawn"

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def order(self, seed: int, epoch: int) -> Any:
        import numpy as np

        return np.arange(self.count)

    def name(self, number: int) -> str:
        return f"drawn {number}"

    def load(self, number: int) -> Any:
        from fetalclip.clinical.factory import Record
        from fetalclip.clinical.vocabulary import KNOWN
        from fetalclip.data.pairs import Pair
        from fetalclip.phantom import draw
        from fetalclip.preprocess import prepare

        plane = KNOWN[number % len(KNOWN)]
        ready = prepare(draw(plane, number, profile="train").frame, self.side, "keep")
        age = 140 + number if plane == "brain" else None
        return Pair(ready.pixels, Record((plane,), None, age, round((ready.mm_per_pixel or (0.5, 0.5))[0], 2)))


def child(args: argparse.Namespace) -> None:
    """One side: says when it is built, then runs a turn for every line it reads."""
    import torch

    torch.set_num_threads(args.threads)
    total = args.steps * (args.rounds + 1)
    with tempfile.TemporaryDirectory() as folder:
        before = peak_mb()
        turn = (ours if args.side == "ours" else openclip)(args, total, Path(folder))
        print(json.dumps({"before": before, "built": peak_mb(), **told(args)}), flush=True)
        for _ in sys.stdin:
            began = time.perf_counter()
            loss = turn()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            seconds = time.perf_counter() - began
            print(json.dumps({"seconds": seconds, "loss": loss, "peak": peak_mb()}), flush=True)


def told(args: argparse.Namespace) -> dict[str, Any]:
    """Of a GPU, its name, and of our side its matrix product and the operations of a picture."""
    import torch

    if not torch.cuda.is_available():
        return {}
    facts: dict[str, Any] = {"device": torch.cuda.get_device_name(), "torch": torch.__version__}
    if args.side == "openclip":
        return facts
    from fetalclip.fit.counting import operations
    from fetalclip.fit.speed import matmul_tflops
    from fetalclip.fit.towers import written

    made = recipe(args, 1)
    counted = operations(made, written(made), args.tokens, 1).all
    product = matmul_tflops(args.precision, "cuda", 2.0)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    return {**facts, "matmul_tflops": product, "gflop_a_picture": counted / 1e9}


def peak_mb() -> float:
    """The most memory so far, of the GPU where there is one."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.max_memory_reserved() / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def prepared(args: argparse.Namespace, total: int, folder: Path) -> Any:
    """Our training, and the batch both sides see."""
    from fetalclip.fit.pretrain import Pretraining, Sides

    training = Pretraining(recipe(args, total), Sides(Drawn(args.batch * 2), None), folder / "run")
    training.steps = total
    (batch,) = training.batches[0]
    args.tokens = args.context if args.padded else batch.ids.shape[1]
    return training, batch


def ours(args: argparse.Namespace, total: int, folder: Path) -> Any:
    """A turn of our loop's own steps."""
    import torch

    training, batch = prepared(args, total, folder)
    if args.padded:
        ids = torch.full((len(batch.ids), args.context), training.tokenizer.end_id)
        ids[:, : batch.ids.shape[1]] = batch.ids
        batch = replace(batch, ids=ids)
    if training.accelerator.device.type == "cuda":
        batch = batch.pinned()  # as its stream does
    training.optimiser = training.accelerator.prepare_optimizer(training.optimiser)
    done = [0]

    def turn() -> float:
        loss = 0.0
        for _ in range(args.steps):
            loss = training.step([batch], done[0])
            done[0] += 1
        return loss

    return turn


def openclip(args: argparse.Namespace, total: int, folder: Path) -> Any:
    """A turn of OpenCLIP's loop on the same weights and the same batch."""
    import logging

    import torch
    from open_clip.loss import ClipLoss
    from open_clip.model import CLIP
    from open_clip_train.scheduler import cosine_lr
    from open_clip_train.train import train_one_epoch

    from fetalclip.models.openclip import to_openclip_config, unname
    from fetalclip.preprocess.pipeline import normalise

    logging.disable(logging.CRITICAL)
    training, batch = prepared(args, total, folder)
    n = training.normalisation
    config = to_openclip_config(training.model.architecture, {"mean": n.mean, "std": n.std})["model_cfg"]
    model = CLIP(config["embed_dim"], config["vision_cfg"], config["text_cfg"], output_dict=True)
    model.load_state_dict({**model.state_dict(), **unname(training.model.state_dict())})
    model.to(device := training.accelerator.device)
    images = normalise(batch.pictures, n.mean, n.std)
    texts = torch.zeros(len(images), args.context, dtype=torch.long)  # OpenCLIP pads with 0 after the end
    for row, (ids, end) in enumerate(zip(batch.ids, batch.end, strict=True)):
        texts[row, : int(end) + 1] = ids[: int(end) + 1]
    if device.type == "cuda":
        images, texts = images.pin_memory(), texts.pin_memory()  # as its loader does
    del training
    plain = [p for name, p in model.named_parameters() if p.ndim < 2 or "ln" in name or "bias" in name]
    rest = [p for name, p in model.named_parameters() if not (p.ndim < 2 or "ln" in name or "bias" in name)]
    groups = [{"params": plain, "weight_decay": 0.0}, {"params": rest, "weight_decay": 0.1}]
    optimiser = torch.optim.AdamW(groups, lr=1e-5, betas=(0.9, 0.98), eps=1e-6)
    if args.compile:
        model = torch.compile(model)  # as its --torchcompile does
    words = SimpleNamespace(
        device=str(device),
        precision={"fp32": "fp32", "bf16": "amp_bf16"}[args.precision],
        distill=False,
        accum_freq=1,
        skip_scheduler=False,
        grad_clip_norm=1.0,
        horovod=False,
        rank=0,
        local_rank=0,
        world_size=1,
        batch_size=args.batch,
        log_every_n_steps=1,
        wandb=False,
        distributed=False,
        log_local=False,
    )

    class Loader(list[Any]):
        num_batches, num_samples = args.steps, args.steps * args.batch

    data = {"train": SimpleNamespace(dataloader=Loader([(images, texts)] * args.steps), set_epoch=lambda epoch: None)}
    lost: list[float] = []

    class Told(ClipLoss):
        def forward(self, *given: Any, **named: Any) -> Any:
            found = super().forward(*given, **named)
            lost.append(float(found["contrastive_loss"].detach()))
            return found

    schedule, done = cosine_lr(optimiser, 1e-5, total, total), [0]

    def turn() -> float:
        train_one_epoch(model, data, Told(), done[0], optimiser, None, schedule, None, words)
        done[0] += 1
        return lost[-1]

    return turn


def main(args: argparse.Namespace) -> int:
    """Both sides in turn; ratios of medians."""
    call = [sys.executable, __file__, *sys.argv[1:]]
    env = {**os.environ, "OMP_NUM_THREADS": str(args.threads), "TOKENIZERS_PARALLELISM": "false"}
    sides = SIDES[:1] if args.alone else SIDES
    runs = {
        side: subprocess.Popen(
            [*call, "--side", side], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env
        )
        for side in sides
    }
    told: dict[str, Any] = {side: {"seconds": [], "losses": []} for side in sides}
    for side, run in runs.items():
        told[side] |= answer(run)
    for number in range(args.rounds + 1):
        for side, run in runs.items():
            assert run.stdin is not None
            print("go", file=run.stdin, flush=True)
            found = answer(run)
            told[side]["losses"].append(found["loss"])
            told[side]["peak"] = found["peak"]
            if number:  # the first turn does not count
                told[side]["seconds"].append(found["seconds"])
    for run in runs.values():
        assert run.stdin is not None
        run.stdin.close()
        run.wait(timeout=60)
    return report(args, told)


def answer(run: subprocess.Popen[str]) -> dict[str, Any]:
    assert run.stdout is not None
    while True:  # a library may talk
        line = run.stdout.readline()
        if not line:
            raise SystemExit("a side ended early: see its error above")
        if line.startswith("{"):
            found: dict[str, Any] = json.loads(line)
            return found


def report(args: argparse.Namespace, told: dict[str, Any]) -> int:
    """Print speed, memory and ratios; 1 where a goal is missed."""
    pictures = args.batch * args.steps
    speed = {side: pictures / statistics.median(found["seconds"]) for side, found in told.items()}
    facts = {
        "model": args.model,
        "batch": args.batch,
        "precision": args.precision,
        "compiled": args.compile,
        "threads": args.threads,
        "context": args.context,
        "captions": "padded" if args.padded else "trimmed to the longest",
        "pictures_per_second": {side: round(value, 2) for side, value in speed.items()},
        "peak_mb": {side: round(found["peak"]) for side, found in told.items()},
        "taken_mb": {side: round(found["peak"] - found["before"]) for side, found in told.items()},
        "first_losses": {side: found["losses"][0] for side, found in told.items()},
    }
    own, goals = told["ours"], []
    if "matmul_tflops" in own:
        reached = own["gflop_a_picture"] * speed["ours"] / 1e3
        facts |= {name: own[name] for name in ("device", "torch", "gflop_a_picture")}
        facts |= {"matmul_tflops": round(own["matmul_tflops"], 1), "step_tflops": round(reached, 1)}
        facts["share_of_matmul"] = round(reached / own["matmul_tflops"], 3)
        goals.append(facts["share_of_matmul"] >= GOAL_SHARE)
    if "openclip" in told:
        pairs = zip(told["openclip"]["seconds"], own["seconds"], strict=True)
        ratios = sorted(theirs / ours for theirs, ours in pairs)
        taken = facts["taken_mb"]
        facts["speed_ratio"] = round(speed["ours"] / speed["openclip"], 3)
        facts["speed_ratios"] = [round(ratios[0], 3), round(ratios[-1], 3)]
        facts["memory_ratio"] = round(own["peak"] / told["openclip"]["peak"], 3)
        facts["taken_ratio"] = round(taken["ours"] / taken["openclip"], 3)
        goals += [facts["speed_ratio"] >= GOAL_SPEED, max(facts["memory_ratio"], facts["taken_ratio"]) <= GOAL_MEMORY]
    facts["met"] = all(goals)
    print(json.dumps(facts) if args.json else "\n".join(f"{key}: {value}" for key, value in facts.items()))
    return 0 if facts["met"] else 1


if __name__ == "__main__":
    given = arguments(sys.argv[1:])
    if given.side:
        child(given)
    else:
        raise SystemExit(main(given))
