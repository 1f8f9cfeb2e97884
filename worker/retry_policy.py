"""Whether and when a job is tried again: separate budgets for each kind of failure."""

from __future__ import annotations

from dataclasses import dataclass

from worker.errors import DependencyError, JobTimeout, ModelError, SourceUnavailable, WorkerError
from worker.ports import Claim

#: Failures that may lie with the job itself: its host, its size, its pixels. They have a budget of attempts;
#: a dependency that is down, or a refused key, is limited by the job's age alone.
_COUNTED = (SourceUnavailable, JobTimeout, ModelError)
_MOST_DOUBLINGS = 16


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Budgets of one job; times in seconds."""

    #: Since the job was first seen.
    max_age_seconds: float
    #: A job that took its worker down this often is poison.
    max_crashes: int = 3
    #: For each kind of failure that may lie with the job itself.
    max_attempts: int = 3
    #: A pictures' host serves many jobs: until a job is so old, what it fails with costs time, not attempts.
    source_seconds: float = 1800.0
    base_seconds: float = 2.0
    cap_seconds: float = 300.0
    #: What a dependency may ask for (see `BreakerOptions.longest_seconds`).
    longest_seconds: float = 900.0

    def is_poison(self, claim: Claim) -> bool:
        """It took its worker down too often."""
        return claim.crashes >= self.max_crashes

    def is_suspect(self, claim: Claim) -> bool:
        """One more crash and it is poison."""
        return claim.crashes == self.max_crashes - 1

    def delay(self, claim: Claim, error: WorkerError, spread: float) -> float | None:
        """Seconds until the next try; None: there is none.

        Args:
            claim: What is known of the job.
            error: How this try ended.
            spread: Uniform in 0..1; full jitter, anywhere up to a bound that doubles with each failure.
        """
        left = self.max_age_seconds - claim.age
        if not error.retryable or left <= 0:
            return None
        if self._is_used_up(claim, error):
            return None
        doublings = min(sum(claim.failures.values()), _MOST_DOUBLINGS)
        jitter = spread * min(self.base_seconds * 2.0**doublings, self.cap_seconds)
        asked = error.retry_after if isinstance(error, DependencyError) else None
        # The last try comes when the job's time is up, not long after it.
        return min(min(asked or 0.0, self.longest_seconds) + jitter, left)

    def _is_used_up(self, claim: Claim, error: WorkerError) -> bool:
        """This was the last attempt that it had for this kind of failure."""
        if isinstance(error, SourceUnavailable) and claim.age < self.source_seconds:
            return False
        return isinstance(error, _COUNTED) and claim.failures.get(error.code, 0) + 1 >= self.max_attempts
