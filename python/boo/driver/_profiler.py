"""Which runs torch's profiler records, for code that times kernels as upstream's driver does."""

from __future__ import annotations

from collections.abc import Callable

from torch.profiler import ProfilerAction, ProfilerActivity, profile

__all__ = ["make_profiler_context", "make_profiler_schedule"]


def make_profiler_schedule(
    timing_iter: int, num_devices: int, iter_thresh: int
) -> tuple[Callable[[int], ProfilerAction], int, Callable[[int], bool]]:
    """A schedule for runs that are dealt to the devices in turn.

    Args:
        timing_iter: how many runs to record.
        num_devices: how many devices take turns; the first run of each is not recorded.
        iter_thresh: after so many runs of a device, less one, one is left out to clean up.

    Returns:
        What torch.profiler.profile takes as schedule, the number of all runs, and whether a run is
        one to clean up in.
    """
    pauses = (timing_iter // num_devices + 1) // (iter_thresh - 1)
    total = timing_iter + (pauses + 1) * num_devices

    def needs_cleanup(step: int) -> bool:
        return step // num_devices % iter_thresh == iter_thresh - 1

    def is_recorded(step: int) -> bool:
        return num_devices <= step < total and not needs_cleanup(step)

    def schedule(step: int) -> ProfilerAction:
        if not is_recorded(step):
            return ProfilerAction.NONE
        # The profiler drops what was not saved before it pauses.
        return ProfilerAction.RECORD if is_recorded(step + 1) else ProfilerAction.RECORD_AND_SAVE

    return schedule, total, needs_cleanup


def make_profiler_context(schedule: Callable[[int], ProfilerAction]) -> profile:
    """A profiler of CPU and, where it can be seen, CUDA that keeps all that the schedule saves."""
    return profile(
        activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA], schedule=schedule, acc_events=True
    )
