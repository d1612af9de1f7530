# SPDX-License-Identifier: MIT
"""Running one seed, and many of them in several processes; what they did together, and whether it was enough."""

import asyncio
import contextlib
import gc
import hashlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from tests.simulation import SOURCES
from tests.simulation.coverage import lacking
from tests.simulation.loop import VirtualLoop
from tests.simulation.world import TraceHandler, World

ROOT = Path(__file__).parents[2]
TOLD = 500
"""Histories after which a long run tells and keeps what came out."""
REPLAYED = 5
"""Of those whose digests are kept."""
MOST_SECONDS = 60
"""Of computing, for one seed."""


@dataclass(slots=True)
class Run:
    """How a seed went."""

    seed: int
    service: str = ""
    wrong: str = ""
    seen: Counter[str] = field(default_factory=Counter)
    trace: list[str] = field(default_factory=list)

    @property
    def digest(self) -> str:
        """Of the trace: equal where the same happened."""
        return hashlib.blake2b("\n".join(self.trace).encode(), digest_size=8).hexdigest()


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise RuntimeError in what computes for longer.

    No clock on the wall decides that: a machine that was stopped, or had other work to do, makes no history wrong.
    """

    def too_long(_signal: int, _frame: object) -> None:
        raise RuntimeError(f"it takes more than {seconds} s")

    before = signal.signal(signal.SIGPROF, too_long)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def run_seed(seed: int) -> Run:
    """Run one, on a loop of its own."""
    run, troubles, made = Run(seed), list[str](), list[World]()
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)

    def trouble(_: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
        if not (made and made[0].daemon.dying):
            troubles.append(f"{context['message']}: {context.get('exception')!r}")

    async def work() -> None:
        world = World(seed)
        made.append(world)
        handler, log = TraceHandler(world, troubles), logging.getLogger("pubkeep")
        log.addHandler(handler)
        log.propagate, before = False, log.level
        log.setLevel(logging.INFO)
        try:
            await world.run()
        finally:
            log.removeHandler(handler)
            log.propagate = True
            log.setLevel(before)

    loop.set_exception_handler(trouble)
    try:
        with limited(MOST_SECONDS):
            loop.run_until_complete(work())
    except Exception as error:  # noqa: BLE001 (whatever it is, the seed failed)
        run.wrong = f"{type(error).__name__}: {error}"
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        asyncio.set_event_loop(None)
    gc.collect()
    if not run.wrong:
        run.wrong = "; ".join(troubles)
    run.service, run.seen, run.trace = made[0].jid.removesuffix(".localhost"), made[0].seen, made[0].trace
    return run


# -- many ------------------------------------------------------------------------------------------------


def at_once(words: str) -> None:
    """Print it now: somebody waits."""
    print(words, flush=True)


@dataclass(slots=True)
class Campaign:
    """Many seeds, one after the other in each of several processes."""

    start: int
    least: int
    seconds: float = 0.0
    """So long, if that is more than the least; 0: the least only."""
    processes: int = 2
    ran: int = 0
    took: float = 0.0
    seen: Counter[str] = field(default_factory=Counter)
    failures: list[dict[str, Any]] = field(default_factory=list)
    digests: dict[int, str] = field(default_factory=dict)

    def run(self, tell: Callable[[str], None] = at_once, environ: Mapping[str, str] = os.environ) -> None:
        """Run them; each that fails is told at once."""
        began = time.perf_counter()
        command = [sys.executable, "-m", "tests.simulation", "--worker"]
        numbers = (str(self.start), str(self.least), str(self.seconds), str(self.processes))
        workers = [
            subprocess.Popen(
                [*command, str(at), *numbers], cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**environ}
            )
            for at in range(self.processes)
        ]
        threads = [threading.Thread(target=self._collect, args=(worker.stdout, tell)) for worker in workers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        codes = [worker.wait() for worker in workers]
        for worker in workers:
            assert worker.stdout is not None
            worker.stdout.close()
        if any(codes):
            self.failures.append({"seed": -1, "service": "", "wrong": f"the processes ended with {codes}"})
        self.took = time.perf_counter() - began

    def soak(self, path: Path, tell: Callable[[str], None] = at_once) -> None:
        """Run them a few hundred at a time, and keep each time what came out until then.

        A run that was interrupted goes on where it was, as long as nothing changed of what makes a history.
        """
        begun = sources()
        if path.exists():
            self._take_over(json.loads(path.read_text(encoding="utf-8")))
        while self.ran < self.least and sources() == begun:
            part = Campaign(self.start + self.ran, min(TOLD, self.least - self.ran), processes=self.processes)
            part.run(tell)
            self.ran += part.ran
            self.took += part.took
            self.seen.update(part.seen)
            self.failures += part.failures
            self.digests.update(part.digests)
            path.write_text(json.dumps(self.result(), indent=1) + "\n", encoding="utf-8")
            tell(f"{self.ran} histories, {len(self.failures)} wrong, {self.took:.0f} s")
            if part.ran < part.least:
                break  # a process ended by itself: the failures say so

    def _take_over(self, kept: Mapping[str, Any]) -> None:
        if (kept["sources"], kept["seeds"][0]) == (sources(), self.start):
            self.ran, self.took, self.failures = kept["seeds"][1], kept["seconds"], kept["failures"]
            self.seen.update(kept["counters"])
            self.digests.update({int(seed): digest for seed, digest in kept["digests"].items()})

    def _collect(self, lines: IO[str], tell: Callable[[str], None]) -> None:
        for line in lines:
            found = json.loads(line)
            self.ran += 1
            self.seen.update(found["seen"])
            self.digests[found["seed"]] = found["digest"]
            if found["wrong"]:
                self.failures.append({name: found[name] for name in ("seed", "service", "wrong")})
                tell(f"seed {found['seed']} ({found['service']}): {found['wrong'][:1500]}")

    def lacking(self) -> list[str]:
        """What was hit too seldom for all this to prove anything."""
        return lacking(self.seen, self.ran)

    def result(self) -> dict[str, Any]:
        """What is kept of it."""
        commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
        seeds = range(self.start, self.start + self.ran, TOLD)
        kept = {seed: self.digests[seed] for seed in seeds if seed in self.digests}
        some = list(kept)[:: max(1, len(kept) // REPLAYED)][:REPLAYED]
        return {
            "commit": commit.stdout.strip(),
            "sources": sources(),
            "seeds": [self.start, self.ran],
            "seconds": round(self.took, 1),
            "processes": self.processes,
            "failures": sorted(self.failures, key=lambda each: int(each["seed"])),
            "lacking": self.lacking(),
            "replayed": {str(seed): kept[seed] for seed in some},
            "digests": {str(seed): digest for seed, digest in kept.items()},
            "counters": dict(sorted(self.seen.items())),
        }


def sources() -> str:
    """Of all that makes a history: equal where nothing of it changed. A commit changes much else too."""
    found = hashlib.blake2b(digest_size=8)
    for folder in SOURCES:
        for path in sorted((ROOT / folder).rglob("*.py")):
            found.update(f"{path.relative_to(ROOT)}\n".encode() + path.read_bytes())
    return found.hexdigest()


def replay(kept: Mapping[str, Any]) -> list[str]:
    """Run the seeds that a result keeps (Campaign.result). Returns what is wrong: as then, where the sources are.

    Those that failed then may fail.
    """
    same = kept["sources"] == sources()
    failed = {each["seed"] for each in kept["failures"]}
    wrong = []
    for seed, digest in kept["replayed"].items():
        run = run_seed(int(seed))
        if run.wrong and int(seed) not in failed:
            wrong.append(f"seed {seed}: {run.wrong}")
        elif same and run.digest != digest:
            wrong.append(f"seed {seed} is another history: {run.digest}, not {digest}")
    return wrong


def work(at: int, start: int, least: int, seconds: float, processes: int) -> None:
    """What one of the processes does: every so manieth seed, one line of JSON for each."""
    began = time.perf_counter()
    gc.disable()  # once after each seed, which looks at what that seed made only
    gc.freeze()
    seed = start + at
    while seed < start + least or (seconds and time.perf_counter() - began < seconds):
        run = run_seed(seed)
        found = {
            "seed": seed,
            "service": run.service,
            "wrong": run.wrong,
            "digest": run.digest,
            "seen": dict(run.seen),
        }
        print(json.dumps(found), flush=True)
        seed += processes
