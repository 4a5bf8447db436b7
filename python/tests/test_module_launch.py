"""Launchables of modules, as boo.runtime.get_launchable makes them."""

import pytest
import torch

import boo
from boo.runtime import get_launchable


class Several(torch.nn.Module):
    def forward(self, x, y):
        return x @ y, torch.relu(x)


def small_net():
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.BatchNorm2d(8), torch.nn.ReLU()
    ).eval()


def images():
    return (torch.randn(2, 3, 9, 7, generator=torch.Generator().manual_seed(1)),)


def test_a_module_with_parameters():
    net = small_net()
    launchable = get_launchable(lambda: net, images, "net")
    (x,) = images()
    with torch.no_grad():
        torch.testing.assert_close(launchable(x), net(x))
        net[0].weight.mul_(2)
        net[1].running_mean.add_(1)
        torch.testing.assert_close(launchable(x), net(x))
    assert not launchable(x).requires_grad


def test_several_results_and_outputs():
    def args():
        return torch.randn(4, 5), torch.randn(5, 6)

    launchable = get_launchable(Several, args)
    x, y = args()
    product, positive = launchable(x, y)
    torch.testing.assert_close(product, x @ y)
    torch.testing.assert_close(positive, torch.relu(x))
    outputs = torch.empty(4, 6), torch.empty(4, 5)
    launchable.launch(x, y, outputs=outputs)
    torch.testing.assert_close(outputs, (product, positive))
    torch.testing.assert_close(launchable(x.t().contiguous().t(), y)[0], product)


def test_what_is_refused():
    launchable = get_launchable(small_net, images, "net")
    with pytest.raises(ValueError, match="net takes 1 tensors, and there are 2"):
        launchable(*images(), *images())
    with pytest.raises(ValueError, match="argument"):
        launchable(torch.randn(2, 3, 9, 8))

    class Sorts(torch.nn.Module):
        def forward(self, x):
            return torch.sort(x.relu()).values

    with pytest.raises(boo.Unsupported, match="sorts is not one launch: aten.sort"):
        get_launchable(Sorts, images, "sorts")
    with pytest.raises(boo.Unsupported, match="main takes 2 kernels"):
        get_launchable(
            Several, lambda: (torch.randn(4, 5), torch.randn(5, 6)), force_single_dispatch=True
        )


def test_the_cache_alone(tmp_path):
    nowhere = boo.runtime.use_cache_dir(tmp_path / "none")
    with nowhere, pytest.raises(ValueError, match="does not exist"):
        get_launchable(small_net, images, cache_only=True)
    with boo.runtime.use_cache_dir(tmp_path):
        with pytest.raises(RuntimeError, match="no kernel"):
            get_launchable(small_net, images, cache_only=True)
        get_launchable(small_net, images)
        launchable = get_launchable(small_net, images, cache_only=True)
        assert all(group["cache"] == "hit" for group in launchable.kernel.groups)
