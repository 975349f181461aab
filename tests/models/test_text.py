"""The text tower: causal, read at the end of the text, the same whatever the padding and the company."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from fetalclip.models.text import TextConfig, TextTower
from fetalclip.models.transformer import Attention, Transformer

CONTEXT, VOCABULARY, END = 117, 50, 49


@pytest.fixture(scope="module")
def tower() -> TextTower:
    torch.manual_seed(0)
    return TextTower(TextConfig(CONTEXT, VOCABULARY, width=32, layers=3, heads=4), 8).eval()


def texts(*lengths: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids padded with the end token to the longest, and end positions."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.full((len(lengths), max(lengths)), END)
    for row, length in zip(ids, lengths, strict=True):
        row[: length - 1] = torch.randint(0, END, (length - 1,), generator=generator)
    return ids, torch.tensor(lengths) - 1


@torch.inference_mode()
def test_trimmed_equals_padded_to_the_whole_context(tower):
    ids, end = texts(5, 17, 2)
    padded = F.pad(ids, (0, CONTEXT - ids.shape[1]), value=END)
    torch.testing.assert_close(tower(ids, end), tower(padded, end), rtol=1e-5, atol=1e-6)
    other = F.pad(ids, (0, CONTEXT - ids.shape[1]), value=3)
    torch.testing.assert_close(tower(other, end), tower(padded, end), rtol=1e-5, atol=1e-6)


@torch.inference_mode()
def test_order_and_company_play_no_part(tower):
    ids, end = texts(5, 17, 2, 40)
    together = tower(ids, end)
    order = torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(tower(ids[order], end[order]), together[order], rtol=1e-5, atol=1e-6)
    for i in range(4):
        n = int(end[i]) + 1
        alone = tower(ids[i : i + 1, :n], end[i : i + 1])
        torch.testing.assert_close(alone[0], together[i], rtol=1e-5, atol=1e-6)


@torch.inference_mode()
def test_a_token_sees_only_what_stands_before_it(tower):
    ids, _ = texts(20)
    changed = ids.clone()
    changed[0, 12] = (ids[0, 12] + 1) % END
    at = torch.arange(20)
    before, after = (tower(x.expand(20, -1), at) for x in (ids, changed))
    difference = (before - after).abs().amax(dim=1)
    assert difference[:12].max() < 1e-6
    assert difference[12:].min() > 1e-4


@torch.inference_mode()
def test_the_text_is_read_at_its_end(tower):
    ids, end = texts(9)
    x = tower.token_embedding(ids) + tower.positional_embedding[:9]
    x = tower.ln_final(tower.transformer(x, causal=True)) @ tower.text_projection
    torch.testing.assert_close(tower(ids, end), x[:, 8])
    assert not torch.allclose(tower(ids, end), tower(ids, end - 1))


def test_position_counts(tower):
    ids = torch.tensor([[3, 7, 7, END]])
    swapped = torch.tensor([[7, 3, 7, END]])
    end = torch.tensor([3])
    assert not torch.allclose(tower(ids, end), tower(swapped, end), atol=1e-4)


@pytest.mark.parametrize("causal", [True, False])
def test_attention_equals_pytorchs(causal):
    torch.manual_seed(1)
    ours, theirs = Attention(16, 4), torch.nn.MultiheadAttention(16, 4, batch_first=True)
    torch.nn.init.normal_(ours.in_proj_weight, std=0.3)
    torch.nn.init.normal_(ours.in_proj_bias)
    theirs.load_state_dict(ours.state_dict())  # OpenCLIP's names are PyTorch's
    x = torch.randn(2, 7, 16)
    mask = torch.ones(7, 7, dtype=torch.bool).triu(1) if causal else None
    wanted, _ = theirs(x, x, x, attn_mask=mask, need_weights=False)
    torch.testing.assert_close(ours(x, causal), wanted, rtol=1e-5, atol=1e-5)


def test_the_transformer_equals_pytorchs_prenorm_layers():
    torch.manual_seed(2)
    ours = Transformer(16, 2, 4)
    x = torch.randn(2, 5, 16)
    y = x
    for block in ours.resblocks:
        layer = torch.nn.TransformerEncoderLayer(16, 4, 64, 0.0, "gelu", batch_first=True, norm_first=True)
        names = {"attn": "self_attn", "mlp.c_fc": "linear1", "mlp.c_proj": "linear2", "ln_1": "norm1", "ln_2": "norm2"}
        state = {}
        for name, value in block.state_dict().items():
            head = max((n for n in names if name.startswith(n)), key=len)
            state[names[head] + name.removeprefix(head)] = value
        layer.load_state_dict(state)
        y = layer.train()(y, src_mask=torch.ones(5, 5, dtype=torch.bool).triu(1))
    torch.testing.assert_close(ours(x, causal=True), y, rtol=1e-5, atol=1e-5)


def test_names_are_openclips(tower):
    names = set(tower.state_dict())
    assert {
        "token_embedding.weight",
        "positional_embedding",
        "text_projection",
        "ln_final.weight",
        "transformer.resblocks.0.ln_1.weight",
        "transformer.resblocks.0.attn.in_proj_weight",
        "transformer.resblocks.0.attn.out_proj.bias",
        "transformer.resblocks.2.mlp.c_fc.weight",
        "transformer.resblocks.2.mlp.c_proj.bias",
    } <= names


@pytest.mark.parametrize("blocks", [0, 1, 3])
def test_freeze_keeps_both_tables_and_the_first_blocks(tower, blocks):
    assert tower.depth == 3
    tower.freeze(blocks)
    held = {name for name, p in tower.named_parameters() if not p.requires_grad}
    tables = {"token_embedding.weight", "positional_embedding"} if blocks else set()
    inner = {n for n in dict(tower.named_parameters()) if any(f"resblocks.{i}." in n for i in range(blocks))}
    assert held == tables | inner
    assert len(inner) == 12 * blocks
