"""The end of a night: the summary is written, and all who are to be told are told.

A hook is told of what is new and over since it was told last. One that failed last night is told of that
night too. Files and hooks that fail never change what the night did.
"""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

from crackpipe.pipeline.console.log import log
from crackpipe.pipeline.errors import CrackpipeError
from crackpipe.pipeline.nightly.facts.memory import Memory
from crackpipe.pipeline.nightly.facts.network import Network
from crackpipe.pipeline.nightly.facts.outcome import Night
from crackpipe.pipeline.nightly.facts.tell import Hook
from crackpipe.pipeline.nightly.telling import hooks, metrics, summary
from crackpipe.pipeline.nightly.telling.alarms import Alarms, News, alarms_of, news
from crackpipe.pipeline.storage import durable, faults

_FILES = ("summary.json", "summary.md")
_NIGHT = re.compile(r"\d{8}T\d{6}Z")
"""Name of the folder of one night. What is called otherwise is somebody else's, and stays."""


def tell(network: Network, night: Night, memory: Memory, ended_s: float) -> News:
    """Write the summary and tell everybody; what is new and over since last night.

    `memory` is changed: it says who knows what. It is not written.
    """
    if memory.untold:
        night.notes.append(hooks.said_of(memory.untold))
    alarms = alarms_of(night, memory, network.output)
    told = news(alarms, memory.alarms)
    try:
        _write_summary(network, night, told)
    except CrackpipeError as error:
        night.faults["summary"] = (error.exit_code, str(error))
        alarms = alarms_of(night, memory, network.output)
        told = news(alarms, memory.alarms)
    failed = [*_write_metrics(network, night, memory, ended_s), *_ping(network, night)]
    for hook in network.tell.hooks:
        failed += _tell_hook(network, night, memory, hook, alarms)
    for sentence in failed:
        log.warning(sentence)
    memory.alarms, memory.untold = alarms, failed
    memory.told = {
        hook.name: memory.told[hook.name] for hook in network.tell.hooks if hook.name in memory.told
    }
    return told


def tell_begin(network: Network, night: Night) -> None:
    """Say to the healthcheck that a night begins. What fails is a note of the night."""
    if network.tell.ping is None:
        return
    failed = hooks.ping(network.tell.ping, night.budget_said, "start")
    if failed is not None:
        log.warning(failed)
        night.notes.append(f"the begin of the night was not told: {failed}")


def _write_summary(network: Network, night: Night, told: News) -> None:
    """The night's own folder, and the latest summary beside the tables. Older nights than asked for go."""
    record = json.dumps(summary.record_of(night, network.timezone, told), indent=1, ensure_ascii=True) + "\n"
    texts = (record, summary.markdown(night, network.timezone, told))
    nights = network.output / "nights"
    own = nights / f"{datetime.fromtimestamp(night.began_s, UTC):%Y%m%dT%H%M%SZ}"
    with faults.guarding(network.output):
        own.mkdir(parents=True, exist_ok=True)
        for folder in (own, network.output):
            for name, text in zip(_FILES, texts, strict=True):
                _replace(folder / name, text)
        made = sorted(each for each in nights.iterdir() if each.is_dir() and _NIGHT.fullmatch(each.name))
        for old in made[: -network.keep_nights]:
            durable.remove_tree(old)


def _replace(file: Path, text: str) -> None:
    staged = file.with_name(f"{file.name}.staged")
    staged.write_text(text, encoding="utf-8")
    durable.replace_file(staged, file)


def _write_metrics(network: Network, night: Night, memory: Memory, ended_s: float) -> list[str]:
    path = network.tell.metrics
    if path is None:
        return []
    try:
        metrics.write(path, metrics.text_of(night, memory, ended_s))
    except OSError as error:
        return [f"metrics: {path} cannot be written: {error.strerror}"]
    return []


def _ping(network: Network, night: Night) -> list[str]:
    if network.tell.ping is None:
        return []
    said = "\n".join(summary.lines(night))
    failed = hooks.ping(network.tell.ping, said, "" if night.code in (0, 3) else "fail")
    return [] if failed is None else [failed]


def _tell_hook(network: Network, night: Night, memory: Memory, hook: Hook, alarms: Alarms) -> list[str]:
    """Start a hook where it has something to hear; what failed."""
    own = news(alarms, memory.told.get(hook.name, {}))
    if not (own or hook.always or memory.untold):
        return []
    if hook.stdin == "json":
        text = json.dumps(summary.record_of(night, network.timezone, own), indent=1) + "\n"
    else:
        text = summary.markdown(night, network.timezone, own)
    failed = hooks.run(hook, text, night.code)
    if failed is None:
        memory.told[hook.name] = alarms
    return [] if failed is None else [failed]
