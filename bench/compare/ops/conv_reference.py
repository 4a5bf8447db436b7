"""Convolution and its gradients in float64, tap by tap, by numpy alone."""

import itertools

import numpy as np

LIMIT = 2e9  # FLOP that a reference may cost; larger results are checked on a part


def conv_reference(problem, arrays, limit=LIMIT):
    """(index, values) as Problem.reference: all of the output, or some batches and channels.

    A part is the last batch, and of each group the first channels, so many as `limit` allows.
    The gradient to the filter sums over all batches, so there only output channels are left out.
    """
    p = problem
    share = min(1.0, limit / p.flops)
    batches = slice(None)
    if share < 1 and p.forw != 4:
        batches = slice(p.n - 1, p.n)
        share = min(1.0, share * p.n)
    first, second = (array.astype(np.float64) for array in arrays[:2])
    groups = p.groups
    if p.forw == 4:
        channels = _some(p.k, groups, share)
        return (channels,), _filter_gradient(p, first[:, channels], second, len(channels))
    if p.forw == 2:
        channels = _some(p.c, groups, share)
        per = len(channels) // groups
        weights = second[:, :per]
        return (batches, channels), _data_gradient(p, first[batches], weights, per)
    channels = _some(p.k, groups, share)
    values = _forward(p, first[batches], second[channels])
    rest = list(arrays[2:])
    if p.bias:
        values += rest.pop(0)[channels].reshape(1, -1, *[1] * p.rank)
    if p.residual:
        values += rest.pop(0)[batches][:, channels]
    for tail in p.tails:
        values = TAILS[tail](values)
    return (batches, channels), values


TAILS = {"relu": lambda v: np.maximum(v, 0), "sigmoid": lambda v: 1 / (1 + np.exp(-v)),
         "tanh": np.tanh}


def _some(count, groups, share):
    """Indices of the first channels of each group, about `share` of all, at least one."""
    per = count // groups
    kept = max(1, int(per * share))
    return np.concatenate([np.arange(g * per, g * per + kept) for g in range(groups)])


def _taps(p):
    """(tap, where in the padded input its values lie) of each tap of the filter."""
    for tap in itertools.product(*map(range, p.fil)):
        yield tap, tuple(slice(t * dil, t * dil + (out - 1) * stride + 1, stride)
                         for t, dil, out, stride in
                         zip(tap, p.dilation, p.out, p.stride, strict=True))


def _padded(p, x):
    return np.pad(x, [(0, 0), (0, 0), *[(pad, pad) for pad in p.pad]])


def _forward(p, x, w):
    n, groups, padded = len(x), p.groups, _padded(p, x)
    y = np.zeros((n, groups, len(w) // groups, int(np.prod(p.out))))
    for tap, where in _taps(p):
        weights = w[(..., *tap)].reshape(groups, len(w) // groups, -1)
        y += weights @ padded[(..., *where)].reshape(n, groups, -1, y.shape[-1])
    return y.reshape(n, len(w), *p.out)


def _data_gradient(p, dy, w, per):
    n, groups = len(dy), p.groups
    flat = dy.reshape(n, groups, p.k // groups, -1)
    whole = np.zeros((n, groups * per, *[s + 2 * pad for s, pad in
                                         zip(p.size, p.pad, strict=True)]))
    for tap, where in _taps(p):
        weights = w[(..., *tap)].reshape(groups, p.k // groups, per).transpose(0, 2, 1)
        whole[(..., *where)] += (weights @ flat).reshape(n, groups * per, *p.out)
    return whole[(..., *[slice(pad, pad + s) for s, pad in zip(p.size, p.pad, strict=True)])]


def _filter_gradient(p, dy, x, channels):
    n, groups, padded = len(x), p.groups, _padded(p, x)
    flat = dy.reshape(n, groups, channels // groups, -1)
    dw = np.zeros((channels, p.c // groups, *p.fil))
    for tap, where in _taps(p):
        pixels = padded[(..., *where)].reshape(n, groups, p.c // groups, -1)
        dw[(..., *tap)] = (flat @ pixels.transpose(0, 1, 3, 2)).sum(0).reshape(channels, -1)
    return dw
