"""The cache's settings, what clearing it leaves alone, and the launchables of a session."""

import pytest
import torch
from boo.driver.launch import get_launchable
from boo.op_exports.conv import ConvSignature
from boo.runtime.cache import OpCacheFiles

from boo.runtime import (
    LaunchableRuntimeCache,
    clear_cache,
    is_cache_enabled,
    set_cache_dir,
    toggle_cache_on,
    use_cache_dir,
)

SIGNATURE = ConvSignature(input_shape=(1, 2, 4, 4), kernel_shape=(2, 2, 3, 3), dtype=torch.float32)


@pytest.fixture(autouse=True)
def session():
    LaunchableRuntimeCache.reset()
    yield
    LaunchableRuntimeCache.set_cache_limit(None)
    LaunchableRuntimeCache.reset()


def test_settings(tmp_path):
    before, was_on = set_cache_dir(), is_cache_enabled()
    try:
        toggle_cache_on(0)
        assert not is_cache_enabled()
        with use_cache_dir(tmp_path / "a") as folder:
            assert is_cache_enabled() and set_cache_dir() == folder == tmp_path / "a"
        assert not is_cache_enabled() and set_cache_dir() == before
        with pytest.raises(KeyError), use_cache_dir(tmp_path):
            raise KeyError
        assert set_cache_dir() == before
        assert set_cache_dir(tmp_path / "b") == set_cache_dir() == tmp_path / "b"
        for wrong in (2, "on"):
            with pytest.raises(ValueError):
                toggle_cache_on(wrong)
    finally:
        set_cache_dir(before)
        toggle_cache_on(was_on)


def test_off_writes_nothing(tmp_path):
    with use_cache_dir(tmp_path / "cache"):
        toggle_cache_on(0)
        assert get_launchable(SIGNATURE).kernel.groups[0]["cache"] == "off"
        assert not (tmp_path / "cache").exists()


def test_files_and_clearing(tmp_path, capfd):
    with use_cache_dir(tmp_path / "cache") as folder:
        clear_cache()  # no folder yet
        launchable = get_launchable(SIGNATURE)
        files = OpCacheFiles(SIGNATURE.func_name)
        (group,) = launchable.kernel.groups
        assert files.base_dir == folder / SIGNATURE.func_name
        assert files.mlir_path.is_file()
        assert files.vmfb_path(group["key"]).is_file()
        assert files.compile_command_log("key").parent == files.base_dir
        (folder / "mine.txt").write_text("keep")
        (files.base_dir / "also mine").write_text("keep")
        (folder / "folder").mkdir()
        clear_cache()
        assert not files.vmfb_path(group["key"]).exists() and not files.mlir_path.exists()
        assert (folder / "mine.txt").read_text() == "keep"
        assert (files.base_dir / "also mine").read_text() == "keep"
        assert (folder / "folder").is_dir()
        # What was loaded keeps working.
        args = SIGNATURE.get_sample_args(seed=1)
        torch.testing.assert_close(launchable(*args), SIGNATURE.get_nn_module()(*args))
    capfd.readouterr()


def test_session_cache_drops_the_least_recently_used():
    cache = LaunchableRuntimeCache
    cache.set_cache_limit(2)
    for name in ("a", "b"):
        cache.add(name, name.upper())
    assert cache.get("a") == "A"
    cache.add("c", "C")
    assert list(cache.get_launchable_cache()) == ["a", "c"] and cache.get("b") is None
    cache.add("a", "again")
    assert list(cache.get_launchable_cache().items()) == [("c", "C"), ("a", "again")]
    cache.get_launchable_cache().clear()
    cache.set_cache_limit(1)
    assert list(cache.get_launchable_cache()) == ["a"]
    cache.set_cache_limit(0)
    cache.add("d", "D")
    assert not cache.get_launchable_cache()
    cache.set_cache_limit(None)
    for i in range(100):
        cache.add(str(i), i)
    assert len(cache.get_launchable_cache()) == 100
    with pytest.raises(ValueError):
        cache.set_cache_limit(-1)
    cache.reset()
    assert not cache.get_launchable_cache()


def test_launchables_are_named_in_the_session(tmp_path):
    with use_cache_dir(tmp_path):
        get_launchable(SIGNATURE)
        assert list(LaunchableRuntimeCache.get_launchable_cache()) == [SIGNATURE.func_name]
