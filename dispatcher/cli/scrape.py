"""A running daemon as its `/metrics` and `/readyz` tell it; no key is needed for either."""

from __future__ import annotations

import contextlib
import http.client
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import orjson
from prometheus_client.parser import text_string_to_metric_families

from dispatcher.errors import ConfigError, DispatcherError

TIMEOUT_S = 3.0
MOST_BYTES = 16 * 1024 * 1024

Labels = Mapping[str, str]


class DaemonAway(DispatcherError):  # noqa: N818 - named for what is wrong, as the whole tree is
    """Nobody answers at the address now; it may come back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scrape:
    """One look at a daemon.

    Attributes:
        at: Unix seconds.
        monotonic: the same moment on a clock that only goes forward.
        ready: whether an account takes jobs and sends them.
        reasons: by account why it is not ready, "" when it is.
        samples: by the metric's name: labels and value.
    """

    at: float
    monotonic: float
    ready: bool
    reasons: Mapping[str, str]
    samples: Mapping[str, Sequence[tuple[Labels, float]]]

    def value(self, name: str, **labels: str) -> float | None:
        """The one sample with at least these labels; None when there is none."""
        for found, value in self.samples.get(name, ()):
            if all(found.get(key) == wanted for key, wanted in labels.items()):
                return value
        return None

    def by(self, label: str, name: str, **labels: str) -> dict[str, float]:
        """Samples with these labels, by another label."""
        return {
            found[label]: value
            for found, value in self.samples.get(name, ())
            if label in found and all(found.get(key) == wanted for key, wanted in labels.items())
        }

    @property
    def accounts(self) -> list[str]:
        """Names, in the daemon's order."""
        return list(dict.fromkeys(labels["account"] for labels, _ in self.samples.get("dispatcher_ready", ())))


def base_of(url: str) -> str:
    """A daemon's address without a slash at the end.

    Raises:
        ConfigError: it is no http address.
    """
    text = url.strip().rstrip("/")
    try:
        parts = urlsplit(text)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or parts.query or parts.fragment or any(sign.isspace() for sign in text):
        raise ConfigError(f"--url {url}: expected an address such as http://127.0.0.1:8080")
    return text


def scrape(base: str, *, at: float, monotonic: float) -> Scrape:
    """Ask a daemon once.

    Raises:
        DaemonAway: nobody answers.
        ConfigError: somebody answers, but it is no daemon of ours.
    """
    _, text = _get(f"{base}/metrics")
    try:
        samples = _samples(text.decode())
    except ValueError:
        samples = {}
    if "dispatcher_ready" not in samples:
        raise ConfigError(f"{base}/metrics answers, but not as a dispatcher's daemon does")
    status, reply = _get(f"{base}/readyz")
    document = None
    with contextlib.suppress(orjson.JSONDecodeError):
        document = orjson.loads(reply)
    accounts = document.get("accounts") if isinstance(document, dict) else None
    return Scrape(
        at=at,
        monotonic=monotonic,
        ready=status == http.client.OK,
        reasons={
            name: str(found.get("reason", ""))
            for name, found in (accounts.items() if isinstance(accounts, dict) else ())
            if isinstance(found, dict)
        },
        samples=samples,
    )


def _samples(text: str) -> dict[str, list[tuple[Labels, float]]]:
    found: dict[str, list[tuple[Labels, float]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def _get(url: str) -> tuple[int, bytes]:
    with _known_errors(url):
        request = urllib.request.Request(url, headers={"Accept-Encoding": "identity"})  # noqa: S310 - checked by base_of
        try:
            with _DIRECT.open(request, timeout=TIMEOUT_S) as reply:
                return reply.status, reply.read(MOST_BYTES)
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, refusal.read(MOST_BYTES)


@contextlib.contextmanager
def _known_errors(url: str) -> Iterator[None]:
    try:
        yield
    except urllib.error.URLError as error:
        raise DaemonAway(f"no answer from {url}: {_words(error.reason)}") from error
    except (OSError, http.client.HTTPException) as error:
        raise DaemonAway(f"no answer from {url}: {_words(error)}") from error


def _words(error: object) -> str:
    if isinstance(error, TimeoutError):
        return f"nothing within {TIMEOUT_S:g} s"
    return str(getattr(error, "strerror", None) or error or type(error).__name__).lower()


_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Without the environment's proxies, as everywhere in this project."""
