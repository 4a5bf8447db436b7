"""Modules of convolutions: values, strides and gradients as torch's, and putting them into models."""

import copy
import pickle

import pytest
import torch
from boo.modeling import (
    BooConv1d,
    BooConv2d,
    BooConv3d,
    replace_conv2d_with_boo_conv,
    replace_convs_with_boo,
)

import boo.ops.conv

PAIRS = {
    1: (torch.nn.Conv1d, BooConv1d),
    2: (torch.nn.Conv2d, BooConv2d),
    3: (torch.nn.Conv3d, BooConv3d),
}
ARGUMENTS = [
    dict(kernel_size=3),
    dict(kernel_size=3, stride=2, padding=1, dilation=2, groups=2, bias=False),
    dict(kernel_size=2, padding="same"),
    dict(kernel_size=3, padding="same", dilation=2, padding_mode="reflect"),
    dict(kernel_size=3, padding="valid"),
    *[dict(kernel_size=3, padding=2, padding_mode=m) for m in ("reflect", "circular", "replicate")],
]


@pytest.fixture
def calls(monkeypatch):
    """The convolutions that went through boo_conv."""
    seen, own = [], boo.modeling.conv.boo_conv

    def counting(x, *rest, **kwargs):
        seen.append(tuple(x.shape))
        return own(x, *rest, **kwargs)

    monkeypatch.setattr(boo.modeling.conv, "boo_conv", counting)
    return seen


@pytest.mark.parametrize("dims", PAIRS)
@pytest.mark.parametrize("arguments", ARGUMENTS, ids=str)
def test_as_torch(dims, arguments, calls):
    theirs_class, ours_class = PAIRS[dims]
    torch.manual_seed(1)
    theirs = theirs_class(4, 6, **arguments)
    torch.manual_seed(1)
    ours = ours_class(4, 6, **arguments)
    assert torch.equal(ours.weight, theirs.weight), "initialised in the same way"
    assert repr(ours) == "Boo" + repr(theirs)
    x = torch.randn(2, 4, *(7, 6, 5)[:dims])
    for given in (x, x[0]):
        first, second = (given.clone().requires_grad_() for _ in range(2))
        y, exact = ours(first), theirs(second)
        torch.testing.assert_close(y, exact, rtol=1e-4, atol=1e-5)
        assert y.stride() == exact.stride()
        y.square().sum().backward()
        exact.square().sum().backward()
        torch.testing.assert_close(first.grad, second.grad, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(ours.weight.grad, theirs.weight.grad, rtol=1e-3, atol=1e-2)
    assert len(calls) == 2
    with pytest.raises(ValueError, match="dimensions"):
        ours(x[None])


def test_channels_last_and_bf16():
    module = BooConv2d(4, 6, 3).to(torch.bfloat16).to(memory_format=torch.channels_last)
    x = torch.randn(2, 4, 8, 8).to(torch.bfloat16)
    y = module(x)
    assert y.is_contiguous(memory_format=torch.channels_last)
    exact = torch.conv2d(x.double(), module.weight.double(), module.bias.double())
    torch.testing.assert_close(y.double(), exact, rtol=1e-2, atol=1e-2)


def test_state_goes_both_ways():
    ours, theirs = BooConv2d(4, 6, 3), torch.nn.Conv2d(4, 6, 3)
    theirs.load_state_dict(ours.state_dict())
    again = pickle.loads(pickle.dumps(copy.deepcopy(ours)))
    x = torch.randn(1, 4, 5, 5)
    torch.testing.assert_close(again(x), theirs(x))


@pytest.mark.parametrize("dims", PAIRS)
@pytest.mark.parametrize("arguments", ARGUMENTS, ids=str)
def test_attributes(dims, arguments):
    theirs_class, ours_class = PAIRS[dims]
    ours, theirs = ours_class(4, 6, **arguments), theirs_class(4, 6, **arguments)
    assert not isinstance(ours, theirs_class)
    public = {name: each for name, each in vars(theirs).items() if not name.startswith("_")}
    assert public.keys() == {name for name in vars(ours) if not name.startswith("_")}
    assert all(getattr(ours, name) == each for name, each in public.items())
    assert (ours.bias is None) == (theirs.bias is None)
    replaced = replace_convs_with_boo(theirs)
    torch.manual_seed(3)
    ours.reset_parameters()
    torch.manual_seed(3)
    replaced.reset_parameters()
    assert torch.equal(ours.weight, replaced.weight), "a replaced module resets as a new one"


def test_constructor_refuses():
    for arguments, message in (
        (dict(groups=3), "4 input channels do not make 3 groups"),
        (dict(groups=0), "do not make 0 groups"),
        (dict(padding="full"), "not 'full'"),
        (dict(padding="same", stride=2), "a stride of 1"),
        (dict(padding_mode="mirror"), "not 'mirror'"),
        (dict(stride=(1, 2, 3)), "stride has 3 entries for 2 dimensions"),
    ):
        with pytest.raises(ValueError, match=message):
            BooConv2d(4, 6, 3, **arguments)


def test_groups_that_do_not_divide_the_output():
    module = BooConv1d(9, 2, 6, 1, 2, 2, 3, True)
    assert module.weight.shape == (2, 3, 6)
    with pytest.raises(ValueError, match="groups"):
        module(torch.randn(1, 9, 20))


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = torch.nn.Conv2d(3, 8, 3, padding=1)
        self.rest = torch.nn.Sequential(
            torch.nn.BatchNorm2d(8), torch.nn.ReLU(), torch.nn.Conv2d(8, 4, 1, bias=False)
        )
        self.line = torch.nn.Conv1d(4, 2, 3)

    def forward(self, x):
        return self.line(self.rest(self.first(x)).flatten(2))


def test_replacement_keeps_everything(calls):
    model = Model().eval()
    x = torch.randn(2, 3, 6, 6)
    exact = model(x)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model.first.weight.requires_grad_(False)
    parameters = dict(model.named_parameters())
    seen = []
    model.first.register_forward_hook(lambda *_: seen.append(1))
    assert replace_convs_with_boo(model) is model
    assert type(model.first) is BooConv2d and type(model.line) is BooConv1d
    assert type(model.rest[2]) is BooConv2d and type(model.rest[1]) is torch.nn.ReLU
    torch.testing.assert_close(model(x), exact, rtol=1e-4, atol=1e-5)
    assert seen == [1] and len(calls) == 3 and not model.first.training
    assert all(each is parameters[name] for name, each in model.named_parameters())
    assert not model.first.weight.requires_grad
    before = model.line.weight.detach().clone()
    model(x).sum().backward()
    optimizer.step()
    assert not torch.equal(before, model.line.weight)


def test_a_root_is_replaced():
    for dims, (theirs, ours) in PAIRS.items():
        model = theirs(3, 4, 1)
        weight = model.weight
        model = replace_convs_with_boo(model)
        assert type(model) is ours and model.weight is weight
        model(torch.randn(1, 3, *(4,) * dims))


def test_allowed_dimensions_and_attributes():
    model = replace_convs_with_boo(Model(), allowed_spatial_dims=(1,))
    assert type(model.first) is torch.nn.Conv2d and type(model.line) is BooConv1d
    model = replace_conv2d_with_boo_conv(Model(), padding=2, padding_mode="reflect")
    assert model.first.padding == (2, 2) and type(model.line) is torch.nn.Conv1d
    x = torch.randn(1, 3, 6, 6)
    exact = torch.nn.functional.pad(x, (2, 2, 2, 2), mode="reflect")
    exact = torch.conv2d(exact, model.first.weight, model.first.bias)
    torch.testing.assert_close(model.first(x), exact, rtol=1e-4, atol=1e-5)
    untouched = Model()
    with pytest.raises(ValueError, match="no attribute 'colour'"):
        replace_convs_with_boo(untouched, kwarg_mapping={1: {"colour": 3}})
    assert type(untouched.first) is torch.nn.Conv2d
    with pytest.raises(ValueError, match="dimensions"):
        replace_convs_with_boo(untouched, allowed_spatial_dims=(4,))


def test_subclasses_and_parametrizations():
    class Twice(torch.nn.Conv2d):
        def forward(self, x):
            return 2 * super().forward(x)

    model = torch.nn.Sequential(
        Twice(3, 4, 1), torch.nn.utils.parametrizations.weight_norm(torch.nn.Conv2d(4, 4, 1))
    )
    x = torch.randn(1, 3, 4, 4)
    exact = model(x)
    replace_convs_with_boo(model)
    assert type(model[0]) is Twice and isinstance(model[1], BooConv2d)
    torch.testing.assert_close(model(x), exact)
    torch.nn.utils.parametrize.remove_parametrizations(model[1], "weight")
    assert type(model[1]) is BooConv2d
    torch.testing.assert_close(model(x), exact)
