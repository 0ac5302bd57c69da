"""The calibration: the same work every time, told as a multiple of the reference machine."""

import pytest
import torch

from tinyfrontier.authoring import calibration
from tinyfrontier.authoring.calibration import Speed, calibrate, job, mean_speed


def test_the_job_is_always_the_same_and_leaves_the_random_stream_alone():
    """Two rounds compute the same numbers, and random numbers drawn afterwards are those that would have come."""
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    assert job() == job()
    assert torch.equal(torch.rand(2), expected)


def test_a_slow_machine_is_told_as_a_multiple(monkeypatch):
    """CPU time and wall time are divided by the reference's; the number of threads is put back."""
    threads, ticks = torch.get_num_threads(), [0.0, 0.0]

    def work():
        ticks[0] += 2 * calibration.REFERENCE_SECONDS
        ticks[1] += 6 * calibration.REFERENCE_SECONDS

    monkeypatch.setattr(calibration, "job", work)
    monkeypatch.setattr(calibration.time, "process_time", lambda: ticks[0])
    monkeypatch.setattr(calibration.time, "perf_counter", lambda: ticks[1])
    speed = calibrate(3)
    assert (speed.cpu, speed.wall) == (pytest.approx(2.0), pytest.approx(6.0))
    assert speed.reference_seconds(40.0) == pytest.approx(20.0)
    assert torch.get_num_threads() == threads


def test_calibrations_around_a_run_are_averaged():
    """The mean of several speeds; none is an error, and so is no round."""
    assert mean_speed(Speed(1.0, 2.0), Speed(3.0, 4.0)) == Speed(2.0, 3.0)
    with pytest.raises(ValueError, match="speeds must hold at least one"):
        mean_speed()
    with pytest.raises(ValueError, match="rounds must be a positive int, got 0"):
        calibrate(0)
