"""Multi-head attention: softmax(q kᵀ / √d) v, with fewer key heads if told."""

import numpy as np

from .base import Problem


class Attention(Problem):
    """q is batch x heads x seq x head_dim; k and v are batch x kv_heads x kv_seq x head_dim."""

    @staticmethod
    def flags(parser):
        parser.add_argument("--batch", type=int, default=1)
        parser.add_argument("--heads", type=int, default=8)
        parser.add_argument("--kv_heads", type=int, default=0)
        parser.add_argument("--seq", type=int, default=128)
        parser.add_argument("--kv_seq", type=int, default=0)
        parser.add_argument("--head_dim", type=int, default=64)
        parser.add_argument("--causal", type=int, default=0, nargs="?", const=1)

    def setup(self, options):
        o = options
        kv_heads, kv_seq = o.kv_heads or o.heads, o.kv_seq or o.seq
        q = (o.batch, o.heads, o.seq, o.head_dim)
        kv = (o.batch, kv_heads, kv_seq, o.head_dim)
        self.shapes, self.out_shape = [q, kv, kv], q
        self.causal, self.repeat = bool(o.causal), o.heads // kv_heads
        self.terms = kv_seq + o.head_dim
        self.flops = 4.0 * o.batch * o.heads * o.seq * kv_seq * o.head_dim
        self.label = (f"mhsa {o.batch}x{o.heads}x{o.seq}x{o.head_dim}"
                      + (f" kv{kv_heads}x{kv_seq}" if kv != q else "")
                      + (" causal" if o.causal else ""))

    def reference(self, arrays):
        q, k, v = (array[:1].astype(np.float64) for array in arrays)
        k, v = (np.repeat(array, self.repeat, axis=1) for array in (k, v))
        scores = q @ k.swapaxes(-1, -2) * q.shape[-1] ** -0.5
        if self.causal:
            scores += np.triu(np.full(scores.shape[-2:], -np.inf), 1)
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        return (slice(0, 1),), weights / weights.sum(-1, keepdims=True) @ v

    def torch_function(self, torch):
        attend = torch.nn.functional.scaled_dot_product_attention
        return lambda q, k, v: attend(q, k, v, is_causal=self.causal, enable_gqa=self.repeat > 1)

    def jax_arrays(self, arrays):
        return [np.ascontiguousarray(array.swapaxes(1, 2)) for array in arrays]

    def jax_function(self, jax):
        return lambda q, k, v: jax.nn.dot_product_attention(q, k, v, is_causal=self.causal)

    def jax_result(self, result):
        return result.swapaxes(1, 2)
