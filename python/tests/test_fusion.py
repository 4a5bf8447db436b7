"""Fusion by schema: which operators of a graph become one, under which names, and what they compute."""

import operator

import pytest
import torch
from boo.fusion import OpFusionSpec, fusion_transform
from boo.fusion.schema import DEFAULT_SUPPORTED_BOO_FUSIONS
from torch.fx.experimental.proxy_tensor import make_fx

import boo
from boo import fusion
from boo.ops import (
    convolution_backward_replacement,
    convolution_replacement,
    get_custom_graph_op,
    get_library_op,
    is_op_defined,
)
from boo.runtime import fallbacks

aten = torch.ops.aten
CONV = dict(stride=[1, 1], padding=[1, 1], dilation=[1, 1], groups=1)


def graph(function, *args):
    return make_fx(function, tracing_mode="fake")(*args)


def fused(gm):
    return [n for n in gm.graph.nodes if str(n.target).startswith("boo.fused_op")]


def near(got, exact, bound=1e-4):
    assert got.shape == exact.shape
    torch.testing.assert_close(got.double(), exact.double(), atol=bound, rtol=bound)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(3)
    fallbacks.reset()


def conv(x, w, b=None):
    return aten.convolution(x, w, b, [1, 1], [1, 1], [1, 1], False, [0, 0], 1)


@pytest.mark.parametrize("last", [False, True], ids=["contiguous", "channels_last"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_convolution_with_activations(last, dtype):
    x, w, b = (torch.randn(s).to(dtype) for s in ((2, 8, 9, 7), (6, 8, 3, 3), (6,)))
    if last:
        x = x.to(memory_format=torch.channels_last)

    def function(x, w, b):
        return torch.sigmoid(torch.relu(conv(x, w, b))) + 1

    gm = graph(function, x, w, b)
    wanted = function(x, w, b)
    fusion_transform(gm)
    (call,) = fused(gm)
    assert str(call.target).startswith("boo.fused_op_layout_cus_relu_sigmoid_")
    name = str(dtype).removeprefix("torch.")
    assert call.target.__name__.removesuffix(".default").endswith(
        f"_2x8x9x7x{name}_6x8x3x3x{name}_6x{name}"
    )
    got = gm(x, w, b)
    near(
        got, function(x.double(), w.double(), b.double()), 1e-5 if dtype == torch.float32 else 2e-2
    )
    assert got.stride() == wanted.stride() and got.dtype == dtype
    assert not fallbacks.counts()


def test_transposed_convolutions_and_strided_layer_norms_stay():
    def function(x, w, l):
        y = aten.convolution(x, w, None, [1, 1], [0, 0], [1, 1], True, [0, 0], 1)
        return y, torch.nn.functional.layer_norm(l.t(), [4])

    gm = graph(function, torch.randn(1, 4, 5, 5), torch.randn(4, 3, 2, 2), torch.randn(4, 6))
    fusion_transform(gm)
    assert not fused(gm)


def test_layer_norm_has_three_results():
    x, w, b = torch.randn(5, 7, 16), torch.randn(16), torch.randn(16)

    def function(x, w, b):
        y, mean, rstd = aten.native_layer_norm(x, [16], w, b, 1e-5)
        return y * 2, mean, rstd

    gm = graph(function, x, w, b)
    fusion_transform(gm)
    (call,) = fused(gm)
    assert str(call.target).startswith("boo.fused_op_native_lay_")
    assert {user.target for user in call.users} == {operator.getitem}
    for got, exact in zip(gm(x, w, b), function(x.double(), w.double(), b.double())):
        near(got, exact)
    torch.library.opcheck(call.target, (x, w, b))
    assert not fallbacks.counts()


def test_layer_norm_of_bfloat16_with_float32_parameters():
    x, w, b = torch.randn(5, 7, 16).bfloat16(), torch.randn(16), torch.randn(16)

    def function(x, w, b):
        return aten.native_layer_norm(x, [16], w, b, 1e-5)[0]

    gm = graph(function, x, w, b)
    fusion_transform(gm)
    assert len(fused(gm)) == 1
    near(gm(x, w, b), function(*(each.double() for each in (x, w, b))), 2e-2)
    assert gm(x, w, b).dtype == torch.bfloat16
    assert not fallbacks.counts()


def test_attention_goes_by_its_general_name():
    q, k, v = (torch.randn(2, 3, 10, 16) for _ in range(3))

    def function(q, k, v):
        return aten._scaled_dot_product_flash_attention_for_cpu(q, k, v, 0.0, True)[0]

    gm = graph(function, q, k, v)
    fusion_transform(gm, fusion_schema=fusion.EXPERIMENTAL_SUPPORTED_BOO_FUSIONS)
    (call,) = fused(gm)
    exact = torch.nn.functional.scaled_dot_product_attention(
        q.double(), k.double(), v.double(), is_causal=True
    )
    wanted = function(q, k, v)
    got = gm(q, k, v)
    near(got, exact)
    assert got.stride() == wanted.stride()
    assert str(call.target).startswith("boo.fused_op_scaled_dot_")
    assert not fallbacks.counts()


def test_attention_whose_statistics_are_used_stays_whole():
    q, k, v = (torch.randn(2, 3, 10, 16) for _ in range(3))

    def function(q, k, v):
        return aten._scaled_dot_product_flash_attention_for_cpu(q, k, v)[:2]

    gm = graph(function, q, k, v)
    wanted = function(q, k, v)
    fusion_transform(gm, fusion_schema=fusion.EXPERIMENTAL_SUPPORTED_BOO_FUSIONS)
    assert len(fused(gm)) == 1
    for got, each in zip(gm(q, k, v), wanted):
        near(got, each)


MULTIPLY_ADD = {aten.mm.default: OpFusionSpec(consumers=(aten.add.Tensor,))}


def test_a_schema_that_would_make_a_cycle_is_cut():
    """The sum needs the product twice, once through an operator that is not fused."""

    def function(x, w):
        y = x @ w
        return y + torch.cumsum(y, 0)

    x, w = torch.randn(4, 4), torch.randn(4, 4)
    gm = graph(function, x, w)
    fusion_transform(gm, fusion_schema=MULTIPLY_ADD)
    (call,) = fused(gm)
    assert str(call.target).startswith("boo.fused_op_mm_") and "add" not in call.target.__name__
    near(gm(x, w), function(x.double(), w.double()))


def test_two_subgraphs_that_would_make_a_cycle_together():
    def function(x, w):
        y, z = x @ w, w @ x
        return y + torch.cumsum(z, 0), z + torch.cumsum(y, 0)

    x, w = torch.randn(4, 4), torch.randn(4, 4)
    gm = graph(function, x, w)
    fusion_transform(gm, fusion_schema=MULTIPLY_ADD)
    assert len(fused(gm)) == 2
    for got, exact in zip(gm(x, w), function(x.double(), w.double())):
        near(got, exact)


def test_users_of_an_inner_result_follow_the_call():
    def function(x, w, v):
        y = x @ w
        early = torch.cumsum(y, 0)
        late = torch.cumsum(v, 0)
        return early, y + late

    args = [torch.randn(4, 4) for _ in range(3)]
    gm = graph(function, *args)
    fusion_transform(gm, fusion_schema=MULTIPLY_ADD)
    (call,) = fused(gm)
    assert len(call.args) == 3
    for got, exact in zip(gm(*args), function(*(each.double() for each in args))):
        near(got, exact)


def test_nothing_is_fused_across_what_writes_or_draws():
    def function(x, w):
        y = x @ w
        noise = torch.bernoulli(x)
        return y + noise

    x, w = torch.rand(4, 4), torch.randn(4, 4)
    gm = graph(function, x, w)
    fusion_transform(gm, fusion_schema=MULTIPLY_ADD)
    (call,) = fused(gm)
    assert len(call.args) == 2


def test_producers():
    def function(x, w):
        return torch.relu(torch.sigmoid(x)) @ w

    x, w = torch.randn(4, 4), torch.randn(4, 4)
    unary = (aten.relu.default, aten.sigmoid.default)
    for recursive, names in ((True, "sigmoid_relu_mm"), (False, "relu_mm")):
        gm = graph(function, x, w)
        fusion_transform(
            gm,
            fusion_schema={aten.mm.default: OpFusionSpec(recursive=recursive, producers=unary)},
        )
        (call,) = fused(gm)
        assert str(call.target).startswith(f"boo.fused_op_{names}_")
        near(gm(x, w), function(x.double(), w.double()))


def test_a_filter_keeps_out_roots_and_consumers():
    def small(node):
        return node.meta["val"].shape[0] < 5

    schema = {aten.mm.default: OpFusionSpec(match_filters=(small,), consumers=(aten.t.default,))}
    for rows, number in ((4, 1), (6, 0)):
        gm = graph(lambda x, w: x @ w, torch.randn(rows, 4), torch.randn(4, 4))
        fusion_transform(gm, fusion_schema=schema)
        assert len(fused(gm)) == number


def test_symbols_and_subgraphs_without_arguments_are_left_alone():
    def function(x):
        return torch.relu(torch.full([3], -1.0)) + torch.relu(x)

    schema = {aten.relu.default: OpFusionSpec(producers=(aten.full.default,))}
    gm = make_fx(function, tracing_mode="symbolic")(torch.randn(2, 3))
    fusion_transform(gm, fusion_schema=schema)
    assert not fused(gm)
    near(gm(torch.ones(2, 3)), torch.ones(2, 3))


def test_operators_without_kernels_run_in_torch_and_are_counted():
    schema = {aten.cumsum.default: OpFusionSpec(consumers=(aten.relu.default,))}
    x = torch.randn(4, 5)
    gm = graph(lambda x: torch.relu(torch.cumsum(x, 0)), x)
    fusion_transform(gm, fusion_schema=schema)
    assert len(fused(gm)) == 1
    assert torch.equal(gm(x), torch.relu(torch.cumsum(x, 0)))
    assert any(what == "aten.cumsum.default" for what, _ in fallbacks.counts())
    with fallbacks.refused(), pytest.raises(boo.Unsupported, match="cumsum"):
        get_custom_graph_op(graph(lambda x: torch.cumsum(x, 1), x))


def test_kernels_that_do_not_compile_are_replaced_by_torch(monkeypatch):
    from boo.backends import region_kernel

    def refuse(nodes, constants):
        raise boo.CompileError("no registers left")

    monkeypatch.setattr(region_kernel, "build", refuse)
    x, w = torch.randn(3, 5), torch.randn(5, 11)
    gm = graph(lambda x, w: x @ w, x, w)
    fusion_transform(gm, fusion_schema={aten.mm.default: OpFusionSpec()})
    near(gm(x, w), x.double() @ w.double())
    assert ("aten.mm.default", "no registers left") in fallbacks.counts()


def test_a_replacement_that_changes_results_is_dropped():
    def turn(node):
        with node.graph.inserting_after(node):
            other = node.graph.call_function(aten.t.default, (node,))
        node.replace_all_uses_with(other)
        other.args = (node,)

    x, w = torch.randn(3, 5), torch.randn(5, 4)
    gm = graph(lambda x, w: x @ w, x, w)
    fusion_transform(
        gm,
        fusion_schema={aten.mm.default: OpFusionSpec()},
        post_fusion_replacements={aten.mm.default: turn},
    )
    assert len(fused(gm)) == 1
    near(gm(x, w), x.double() @ w.double())


def test_equal_graphs_share_an_operator():
    x, w = torch.randn(3, 5), torch.randn(5, 4)
    first = get_custom_graph_op(graph(lambda x, w: torch.relu(x @ w), x, w))
    other = graph(lambda a, b: torch.relu(a @ b), x, w)
    for node in other.graph.nodes:
        if node.target is aten.relu.default:
            node.name = "another_name"
    assert get_custom_graph_op(other) is first
    assert is_op_defined(first.__name__.removesuffix(".default"))
    assert get_library_op(first.__name__.removesuffix(".default")) is first
    different = [
        get_custom_graph_op(graph(lambda x, w: torch.relu(x @ w), x, w.t().contiguous().t())),
        get_custom_graph_op(graph(lambda x, w: torch.relu(x @ w), x, w), inplace_convert=True),
        get_custom_graph_op(
            graph(lambda x, w: torch.relu(x @ w), x, w), force_single_dispatch=True
        ),
        get_custom_graph_op(graph(lambda x, w: torch.nn.functional.elu(x @ w, 0.5), x, w)),
        get_custom_graph_op(graph(lambda x, w: torch.nn.functional.elu(x @ w, 0.7), x, w)),
    ]
    assert len({first, *different}) == 6
    assert "_inplace_3x5xfloat32" in different[1].__name__


def test_names_of_long_graphs_are_left_out():
    def function(x):
        for _ in range(20):
            x = torch.relu(x) + 1
        return x

    op = get_custom_graph_op(graph(function, torch.randn(3)))
    assert "relu" not in op.__name__ and op.__name__.startswith("fused_op_")


def test_operators_take_other_sizes_strides_and_meta_tensors():
    x, w = torch.randn(3, 5), torch.randn(5, 4)
    op = get_custom_graph_op(graph(lambda x, w: (x @ w, torch.relu(x)), x, w))
    for given in (x, torch.randn(7, 5), torch.randn(5, 7).t()):
        for got, exact in zip(op(given, w), (given.double() @ w.double(), torch.relu(given))):
            near(got, exact)
        made = op(given.to("meta"), w.to("meta"))
        assert [each.shape for each in made] == [each.shape for each in op(given, w)]


def test_results_never_share_memory():
    x = torch.randn(4, 6)
    op = get_custom_graph_op(graph(lambda x: (x.t(), torch.relu(x), x.view(24)), x))
    results = op(x)
    storages = {each.untyped_storage().data_ptr() for each in (x, *results)}
    assert len(storages) == 4
    assert torch.equal(results[0], x.t()) and torch.equal(results[2], x.view(24))


def test_what_becomes_no_operator():
    with pytest.raises(ValueError, match="without arguments"):
        get_custom_graph_op(graph(lambda: torch.ones(3)))
    symbolic = torch.fx.symbolic_trace(lambda x: x + 1)
    with pytest.raises(ValueError, match="fake tensors"):
        get_custom_graph_op(symbolic)


def test_autocast_does_not_reach_into_an_operator():
    x, w = torch.randn(4, 4), torch.randn(4, 4)
    op = get_custom_graph_op(graph(lambda x, w: torch.cumsum(x, 0) @ w, x, w))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert op(x, w).dtype == torch.float32
        assert op(x[:2], w).dtype == torch.float32


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("last", [False, True], ids=["contiguous", "channels_last"])
def test_replacements_of_convolutions(rank, last):
    x, w = torch.randn(2, 4, *[6] * rank), torch.randn(6, 2, *[3] * rank)
    if last and rank > 1:
        w = w.to(memory_format=[torch.channels_last, torch.channels_last_3d][rank - 2])
    wanted = aten.convolution(x, w, None, [2], [1], [1], False, [0], 2)
    got = convolution_replacement(x, w, None, 2, 1, 1, 2)
    near(got, wanted)
    assert got.stride() == wanted.stride()
    grad = torch.randn_like(wanted)
    gradients = convolution_backward_replacement(grad, x, w, 2, 1, 1, 2, [True, True, True])
    exact = aten.convolution_backward(
        grad.double(), x.double(), w.double(), [6], [2], [1], [1], False, [0], 2, [True] * 3
    )
    for each, wide in zip(gradients, exact):
        near(each, wide)


def test_kernel_of_a_function():
    @fusion.kernel
    def function(x, w):
        """Doc."""
        return {"y": torch.relu(x @ w), "x": x.sum(0)}

    assert function.__doc__ == "Doc."
    for rows in (3, 8):
        x, w = torch.randn(rows, 5), torch.randn(5, 4)
        got = function(x, w)
        near(got["y"], torch.relu(x.double() @ w.double()))
        near(got["x"], x.double().sum(0))
    x, w = (each.requires_grad_() for each in (x, w))
    function(x, w)["y"].sum().backward()
    wide = [each.detach().double().requires_grad_() for each in (x, w)]
    torch.relu(wide[0] @ wide[1]).sum().backward()
    near(x.grad, wide[0].grad)
    near(w.grad, wide[1].grad)
    with pytest.raises(TypeError, match="takes tensors"):
        function(x, 3)


def test_default_schema_can_be_extended():
    schema = {**DEFAULT_SUPPORTED_BOO_FUSIONS}
    conv_spec = schema[aten.convolution.default]
    assert conv_spec.recursive and not conv_spec.make_single_dispatch
    assert schema[aten.native_layer_norm.default].make_single_dispatch
    assert set(schema) < set(fusion.EXPERIMENTAL_SUPPORTED_BOO_FUSIONS)
