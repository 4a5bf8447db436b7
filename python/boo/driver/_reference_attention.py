"""Attentions of a Graph in torch."""

from __future__ import annotations

import operator

import torch
import torch.nn.functional as F

__all__ = ["OPS"]

_flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu.default
_flash_backward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward.default


def _heads(made, node, index: int, count: int):
    """An operand as [B, H, S, D]."""
    x = made.operand(node, index)
    if len(made.operand_type(node, index).sizes) == 4:
        return x
    return made.view(torch.transpose, made.view(torch.unflatten, x, 2, (count, -1)), 1, 2)


def _head_counts(made, node) -> tuple[int, int]:
    """Heads of queries and of keys."""
    q, k = (made.operand_type(node, i).sizes for i in (0, 1))
    if len(q) == 4:
        return q[1], k[1]
    heads = node.attributes["heads"]
    return heads, k[2] // (q[2] // heads)


def _is_plain(made, node, heads: int, kv_heads: int) -> bool:
    """Whether torch's flash kernel takes it: one head of keys each, values as wide as they are."""
    k, v = (made.operand_type(node, i).sizes for i in (1, 2))
    return heads == kv_heads and k[-1] == v[-1]


def _joined(made, node, index: int, y):
    """A result [B, H, S, D] with the sizes that the Graph has."""
    if len(made.types[node.results[index]].sizes) == 4:
        return y
    return made.view(torch.flatten, made.view(torch.transpose, y, 1, 2), 2)


def _scores(made, q, k, given, rows: int, columns: int, mask):
    """scale * q k^T + mask, -inf where causal hides a key."""
    x = made.call(torch.matmul, q, made.view(torch.transpose, k, 2, 3))
    x = made.call(torch.mul, x, given["scale"])
    x = x if mask is None else made.call(torch.add, x, mask)
    if not given["causal"]:
        return x
    seen = made.call(torch.tril, made.view(torch.ones, rows, columns, dtype=torch.bool))
    hidden = made.call(torch.logical_not, seen)
    return made.call(torch.masked_fill, x, hidden, float("-inf"))


def _length(made, node, index: int) -> int:
    return made.operand_type(node, index).sizes[-2 if _rank(made, node) == 4 else 1]


def _rank(made, node) -> int:
    return len(made.operand_type(node, 0).sizes)


def _attention(made, node) -> None:
    given = node.attributes
    heads, kv_heads = _head_counts(made, node)
    q = _heads(made, node, 0, heads)
    k, v = (_heads(made, node, i, kv_heads) for i in (1, 2))
    mask = made.operand(node, 3)
    causal, scale = given["causal"], given["scale"]
    if given["logsumexp"] and _is_plain(made, node, heads, kv_heads):
        both = made.call(_flash, q, k, v, 0.0, causal, attn_mask=mask, scale=scale)
        y, sums = (made.view(operator.getitem, both, i) for i in range(2))
        made.give(node, _joined(made, node, 0, y), sums)
        return
    rows, columns = _length(made, node, 0), _length(made, node, 1)
    added = mask
    if causal and mask is not None:
        zeros = made.view(torch.zeros, rows, columns, dtype=made.operand_type(node, 3).dtype)
        seen = made.call(torch.tril, made.view(torch.ones, rows, columns, dtype=torch.bool))
        hidden = made.call(torch.logical_not, seen)
        added = made.call(torch.add, mask, made.call(
            torch.masked_fill, zeros, hidden, float("-inf")))  # fmt: skip
    y = made.call(
        F.scaled_dot_product_attention, q, k, v, attn_mask=added,
        is_causal=causal and mask is None, scale=scale, enable_gqa=heads != kv_heads,
    )  # fmt: skip
    results = [_joined(made, node, 0, y)]
    if given["logsumexp"]:
        wide = _repeated(made, k, heads // kv_heads)
        q, wide = (made.view(torch.Tensor.float, each) for each in (q, wide))
        scores = _scores(made, q, wide, given, rows, columns, mask)
        results.append(made.call(torch.logsumexp, scores, -1))
    made.give(node, *results)


def _repeated(made, x, times: int):
    return x if times == 1 else made.call(torch.repeat_interleave, x, times, 1)


def _attention_grad(made, node) -> None:
    given = node.attributes
    heads, kv_heads = _head_counts(made, node)
    q, out, dout = (_heads(made, node, i, heads) for i in (0, 3, 5))
    k, v = (_heads(made, node, i, kv_heads) for i in (1, 2))
    sums, mask = made.operand(node, 4), made.operand(node, 6)
    if _is_plain(made, node, heads, kv_heads):
        all_ = made.call(
            _flash_backward, dout, q, k, v, out, sums, 0.0, given["causal"], attn_mask=mask,
            scale=given["scale"],
        )  # fmt: skip
        grads = [made.view(operator.getitem, all_, i) for i in range(3)]
    else:
        rows, columns = _length(made, node, 0), _length(made, node, 1)
        dtype = made.operand_type(node, 4).dtype
        grads = _by_hand(made, given, (q, k, v, out, dout), sums, mask, dtype, heads // kv_heads,
                         rows, columns)  # fmt: skip
    made.give(node, *(_joined(made, node, i, each) for i, each in enumerate(grads)))


def _by_hand(made, given, tensors, sums, mask, dtype, times: int, rows: int, columns: int):
    """The gradients as the formulas have them, in f32 or wider."""
    q, k, v, out, dout = (made.call(torch.Tensor.to, each, dtype) for each in tensors)
    k, v = (_repeated(made, each, times) for each in (k, v))
    scores = _scores(made, q, k, given, rows, columns, mask)
    p = made.call(torch.exp, made.call(torch.sub, scores, made.view(torch.unsqueeze, sums, -1)))
    dv = made.call(torch.matmul, made.view(torch.transpose, p, 2, 3), dout)
    dp = made.call(torch.matmul, dout, made.view(torch.transpose, v, 2, 3))
    rowsum = made.call(torch.sum, made.call(torch.mul, out, dout), -1, True)
    ds = made.call(torch.mul, p, made.call(torch.sub, dp, rowsum))
    ds = made.call(torch.mul, ds, given["scale"])
    dq = made.call(torch.matmul, ds, k)
    dk = made.call(torch.matmul, made.view(torch.transpose, ds, 2, 3), q)
    if times != 1:
        dk, dv = (
            made.call(torch.sum, made.view(torch.unflatten, each, 1, (-1, times)), 2)
            for each in (dk, dv)
        )
    return dq, dk, dv


OPS = {"attention": _attention, "attention_grad": _attention_grad}
