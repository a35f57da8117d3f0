"""A server as a model: a dict of keys, and requests that may take effect long after their client has gone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from dispatcher.model.records import SpooledJob


@dataclass(slots=True, eq=False)
class Request:
    """One createjobs request.

    Attributes:
        jobs: what it carries.
        begun: when it went out (s).
        gone_by: from then on its client has given up, whatever happens (s).
        final_by: from then on it no longer takes effect (s): the server works on for a while after its client has gone.
        client: whether somebody waits for the reply.
        done: whether it has taken effect, or was refused, or has come to nothing.
        took_effect: whether it has taken effect.
    """

    jobs: Sequence[SpooledJob]
    begun: float
    gone_by: float
    final_by: float
    client: bool = True
    done: bool = False
    took_effect: bool = False

    def at_work(self, now: float) -> bool:
        """Whether it may still take effect."""
        return not self.done and (self.client or now < self.final_by)


@dataclass(slots=True)
class ModelServer:
    """Upserts on the key; refuses what the delivery rules promise never to send.

    Attributes:
        has: the version it has, by key.
        history: every version of a key that ever took effect, with its body.
        requests: all that may still take effect.
    """

    has: dict[str, int] = field(default_factory=dict)
    history: dict[str, dict[int, bytes]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)

    def receive(self, jobs: Sequence[SpooledJob], *, now: float, timeout_s: float, grace_s: float) -> Request:
        """A request goes out.

        Raises:
            AssertionError: a request with one of its keys may still be at work, or a job has taken effect before.
        """
        self.requests = [request for request in self.requests if request.client or request.at_work(now)]
        keys = [job.key for job in jobs]
        assert len(set(keys)) == len(keys), f"a key twice in one request: {keys}"
        for request in self.requests:
            both = {job.key for job in request.jobs} & set(keys)
            assert not both, f"{both} sent at {now} while the request of {request.begun} may still be at work"
        for job in jobs:
            assert job.version > self.has.get(job.key, 0), f"{job.key}: version {job.version} is sent once more"
        sent = Request(jobs, now, now + timeout_s, now + timeout_s + grace_s)
        self.requests.append(sent)
        return sent

    def commit(self, request: Request) -> list[str]:
        """It takes effect, if it has not yet; the ids of the jobs.

        Raises:
            AssertionError: a version that has taken effect before, or an older one than the server has.
        """
        assert request.took_effect or not request.done
        for job in request.jobs if not request.took_effect else ():
            here = self.has.get(job.key, 0)
            assert job.version > here, f"{job.key}: version {job.version} takes effect after {here}"
            self.has[job.key] = job.version
            self.history.setdefault(job.key, {})[job.version] = job.body
        request.done = request.took_effect = True
        return [f"id-{job.key}" for job in request.jobs]

    def find(self, jobs: Sequence[SpooledJob]) -> dict[str, str | None]:
        """What a look-up sees at this moment, as `looked_up` wants it."""
        found: dict[str, str | None] = {}
        for job in jobs:
            version = self.has.get(job.key)
            if version is not None:
                same = self.history[job.key][version] == job.body
                found[job.key] = f"id-{job.key}" if same else None
        return found

    def abandon_all(self) -> None:
        """The client process has died; what it had sent goes on."""
        for request in self.requests:
            request.client = False
